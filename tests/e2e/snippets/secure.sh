curl --cacert authority.pem -H "authorization: Bearer $(cat alice.token)" \
  -H 'content-type: application/json' -d '{"user_id": "alice"}' \
  https://localhost:50080/workflows.WorkflowsService/ListWorkflows

grpcurl -cacert authority.pem -H "authorization: Bearer $(cat alice.token)" \
  -d '{"user_id": "alice"}' localhost:50052 workflows.WorkflowsService/ListWorkflows
