workflows token alice > alice.token    # makes a pair of keys for development, too

WORKFLOWS_AUTH=jwt \
WORKFLOWS_JWT_KEYS=workflows-development.pem.pub \
WORKFLOWS_JWT_ISSUERS=workflows-development \
WORKFLOWS_JWT_AUDIENCES=workflows-development \
WORKFLOWS_TLS_CERT=service.pem \
WORKFLOWS_TLS_KEY=service.key \
  workflows serve --no-migrate
