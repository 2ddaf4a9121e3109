#!/usr/bin/env bash
# apart.sh COMMAND…: runs it apart from the AWS account, the proxies and the Longshore settings of
# whoever calls. A test that reads them would pass here and fail elsewhere, or reach a real account.
#
# Only tests run under this: installing packages may need the proxies and certificates.
set -eu

while IFS= read -r name; do
    unset "$name"
done < <(compgen -e | grep -E '^(AWS_|LONGSHORE_)|^(https?|all|ftp)_proxy$|^(HTTPS?|ALL|FTP)_PROXY$' || true)

# Nothing lies there, and the metadata service of a cloud machine is not asked.
export AWS_CONFIG_FILE=/dev/null AWS_SHARED_CREDENTIALS_FILE=/dev/null AWS_EC2_METADATA_DISABLED=true
export NO_PROXY=127.0.0.1,localhost no_proxy=127.0.0.1,localhost

exec "$@"
