-- What all server processes on this database share. The cursor secret signs the cursors of lists.
CREATE TABLE service_secrets (
    name   text  NOT NULL PRIMARY KEY,
    secret bytea NOT NULL
);

INSERT INTO service_secrets (name, secret)
VALUES ('cursor', sha256(convert_to(gen_random_uuid()::text || gen_random_uuid()::text, 'UTF8')));
