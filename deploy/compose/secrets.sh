#!/bin/sh
# Writes the secrets of compose.yaml into .env, once: passwords of database and object storage, and a token.
set -eu
cd "$(dirname "$0")"
[ ! -e .env ] || { echo ".env is there already" >&2; exit 1; }
umask 077
secret() { od -An -N24 -tx1 /dev/urandom | tr -d ' \n'; }
{
    for name in DATABASE_PASSWORD OBJECTS_PASSWORD OVERREAD_API_TOKEN GRAFANA_PASSWORD; do
        echo "$name=$(secret)"
    done
} > .env
