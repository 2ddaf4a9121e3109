#!/usr/bin/env bash
# Which crates each set of features brings: a library user pays for what is asked for, and nothing
# brings a second TLS stack.
set -eu

tree() { cargo tree --locked --prefix none --edges normal --format '{p}' "$@" | sed 's/ .*//' | sort -u; }
failures=0

# without "OPTIONS" CRATE…: none of these crates is in the tree.
without() {
    local options=$1 crates crate
    shift
    # shellcheck disable=SC2086 # a list of options
    crates=$(tree $options)
    for crate in "$@"; do
        if grep -qx "$crate" <<<"$crates"; then
            echo "cargo tree $options brings $crate" >&2
            failures=1
        fi
    done
    echo "cargo tree $options: $(wc -l <<<"$crates") crates, none of $*"
}

without "--no-default-features" \
    aws-sdk-s3 aws-sdk-sqs aws-sdk-sns aws-sdk-dynamodb aws-sdk-lambda aws-sdk-ssm sqlx redis s3s clap
without "--no-default-features --features queue,spool" \
    sqlx sqlx-core redis aws-sdk-lambda aws-sdk-dynamodb serde_dynamo aws-sdk-ssm s3s clap
without "--all-features" ring openssl-sys native-tls openssl async-std

versions=$(cargo tree --locked --all-features --prefix none --edges normal --format '{p}' | sed 's, (\*),,' | grep '^rustls v' | sort -u | wc -l)
if [ "$versions" -ne 1 ]; then
    echo "cargo tree --all-features brings $versions versions of rustls" >&2
    failures=1
fi
exit "$failures"
