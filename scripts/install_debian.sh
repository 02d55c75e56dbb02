#!/bin/sh
# Install the Debian packages listed in the file that this machine lacks; asks for root only then.
# After a package stand the commands of which any one will do in its place.
set -eu
cd "$(dirname "$0")"
missing=""
while read -r package commands; do
  dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q "ok installed" && continue
  for command in $commands; do
    command -v "$command" >/dev/null 2>&1 && continue 2
  done
  missing="$missing $package"
done < "$1"
[ -n "$missing" ] || exit 0
if [ "$(id -u)" != 0 ]; then
  if command -v sudo >/dev/null 2>&1; then
    exec sudo sh "$PWD/install_debian.sh" "$1"
  fi
  echo "The tests need these Debian packages; install them as root: apt-get install$missing" >&2
  exit 1
fi
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
# shellcheck disable=SC2086 - a list of names
apt-get install -y -qq --no-install-recommends $missing >/dev/null
