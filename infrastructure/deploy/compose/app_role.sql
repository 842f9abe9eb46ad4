-- The role as which the service of compose.yaml connects, made once: psql -v password=... -f FILE
SELECT format('CREATE ROLE app LOGIN PASSWORD %L IN ROLE workflows_service', :'password')
WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'app') \gexec
