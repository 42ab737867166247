#!/bin/sh
# fill.sh DIRECTORY takes all space of its file system, what is reserved for root too, until not a byte can be written.
set -u
file=$1/filler
available=$(df --block-size=1 --output=avail "$1" | tail -n 1)
fallocate --length "$available" "$file" 2>/dev/null
# More than once: what was written by others meanwhile gets its place on the disk when it is synced.
for block in 1M 64K 4K 4K 512; do
  dd if=/dev/zero of="$file" bs="$block" oflag=append conv=notrunc 2>/dev/null
  sync --file-system "$1"
done
rm -f "$1/probe"
if echo full >"$1/probe" 2>/dev/null && sync "$1/probe" 2>/dev/null; then
  echo "not full: $(df "$1" | tail -n 1)" >&2
  exit 1
fi
rm -f "$1/probe"
