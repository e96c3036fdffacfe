#!/usr/bin/env bash
# Makes the recording that ships with mayfly (trace/ and labels.csv, beside this
# script) from real containers, and any other of the same kind.
#
#   record.sh OUT [SECONDS]
#
# OUT/trace is the trace, OUT/labels.csv says which container was attacked when
# and how. SECONDS is the length of each of the two phases (default 90).
#
# In the first phase three shops run under load and the third is attacked at its
# end; in the second phase three new ones do, and two are attacked. Beside them
# run their stock servers, and short report jobs come and go. Every attack goes
# through the shop's own hole; none leaves its container's network, which has
# nothing but a loopback.
#
# Wants root, Linux with BTF, a Docker daemon, and the packages golang,
# busybox-static, curl and util-linux. MAYFLY names the binary to record with
# (default: built from this checkout).
set -euo pipefail

out=${1:?usage: record.sh OUT [SECONDS]}
seconds=${2:-90}
here=$(cd "$(dirname "$0")" && pwd)
version=1
work=$(mktemp -d)
names=()
recorder=

cleanup() {
	if [ -n "$recorder" ]; then
		kill -TERM "$recorder" 2>/dev/null || true
		wait "$recorder" || true
	fi
	if [ ${#names[@]} -gt 0 ]; then docker rm -f "${names[@]}" >/dev/null 2>&1 || true; fi
	rm -rf "$work"
}
trap cleanup EXIT

if [ -e "$out/trace" ]; then
	echo "record.sh: $out/trace is there already" >&2
	exit 1
fi
mkdir -p "$out"

# The image: the shop, a static busybox for a shell, and files to serve.
build() {
	local root=$work/root busybox
	busybox=$(command -v busybox)
	mkdir -p "$root"/{bin,etc,tmp,mnt,proc,srv/shop,var/lib/shop/uploads,var/log}
	(cd "$here/shop" && CGO_ENABLED=0 go build -trimpath -ldflags '-s -w' -o "$root/bin/shop" .)
	cp "$busybox" "$root/bin/busybox"
	for applet in sh cat cp id uname ls mount nc sleep sort wc gzip mkdir rm chmod; do
		ln -s busybox "$root/bin/$applet"
	done
	printf 'root:x:0:0:root:/:/bin/sh\n' >"$root/etc/passwd"
	printf 'root:*:19000:0:99999:7:::\n' >"$root/etc/shadow"
	printf '127.0.0.1 localhost\n' >"$root/etc/hosts"
	for id in $(seq 0 11); do
		seq "$id" $((id + 400)) >"$root/srv/shop/$id.txt"
	done
	cat >"$root/bin/report" <<-'REPORT'
		#!/bin/sh
		mkdir -p /tmp/report
		cat /srv/shop/*.txt | sort -n >/tmp/report/all
		wc -l /tmp/report/all >/tmp/report/lines
		gzip -f /tmp/report/all
		sleep 0.3
		ls -l /tmp/report
	REPORT
	chmod 1777 "$root/tmp"
	chmod 755 "$root/bin/report"
	tar -C "$root" -c . | docker import -c 'CMD ["/bin/shop","serve"]' - "mayfly-demo/shop:$version" >/dev/null
	# One image under three names: what a workload is, its repository tells.
	docker tag "mayfly-demo/shop:$version" "mayfly-demo/stock:$version"
	docker tag "mayfly-demo/shop:$version" "mayfly-demo/report:$version"
	cp "$root/bin/shop" "$work/shop"
}

run() { # NAME ARGS...: a container that stays
	local name=$1
	shift
	names+=("$name")
	docker run -d --name "$name" "$@" >/dev/null
}

pid() { docker inspect -f '{{.State.Pid}}' "$1"; }
id() { docker inspect -f '{{.Id}}' "$1"; }
now() { date -u +%Y-%m-%dT%H:%M:%S.%NZ; }

start() { # N: shop-N with its stock server, under load for the phase
	run "shop-$1" --network none "mayfly-demo/shop:$version"
	run "stock-$1" --network "container:shop-$1" "mayfly-demo/stock:$version" /bin/shop stock
	sleep 0.5
	nsenter -t "$(pid "shop-$1")" -n "$work/shop" load -for "${seconds}s" -rate 25 -seed "$1" &
	loads+=($!)
}

reports() { # until the phase ends: short jobs, one after the other
	local end=$((SECONDS + seconds - 2))
	while [ $SECONDS -lt $end ]; do
		docker run --rm --network none "mayfly-demo/report:$version" /bin/report >/dev/null
		sleep 4
	done
}

attack() { # N NAME COMMAND: through the hole of shop-N, and a line of labels
	local from to
	from=$(now)
	nsenter -t "$(pid "shop-$1")" -n curl -s -m 10 -G -o "$work/answer" \
		--data-urlencode "name=x; $3" http://127.0.0.1:8080/whois || true
	to=$(now)
	printf '%s,%s,%s,%s\n' "$(id "shop-$1")" "$from" "$to" "$2" >>"$out/labels.csv"
	sleep 3
}

attacks() { # N: all of them, one after the other
	attack "$1" shell 'id; uname -a; ls -la /'
	attack "$1" dropped-binary 'cp /bin/busybox /tmp/busybox.1 && chmod 755 /tmp/busybox.1 && /tmp/busybox.1 sleep 0.2'
	attack "$1" read-shadow 'cat /etc/shadow'
	attack "$1" new-connection 'echo hello | nc -w 1 127.0.0.1 4444'
	attack "$1" mount 'mount -t tmpfs none /mnt'
}

phase() { # NORMAL... -- ATTACKED...
	local attacked=() seen=
	loads=()
	for n in "$@"; do
		if [ "$n" = -- ]; then seen=1; continue; fi
		start "$n"
		[ -z "$seen" ] || attacked+=("$n")
	done
	reports &
	loads+=($!)
	sleep $((seconds / 2))
	for n in "${attacked[@]}"; do attacks "$n"; done
	wait "${loads[@]}"
	docker rm -f "${names[@]}" >/dev/null
	names=()
}

build
mayfly=${MAYFLY:-$work/mayfly}
[ -n "${MAYFLY:-}" ] || (cd "$here/../.." && go build -o "$mayfly" ./cmd/mayfly)
printf 'container,from,to,attack\n' >"$out/labels.csv"
"$mayfly" record -o "$out/trace" --rotate 1h 2> >(tee "$work/said" >&2) &
recorder=$!
# What begins before it records is seen in part: without its start, which would then
# be news when another one starts.
for _ in $(seq 600); do
	kill -0 "$recorder"
	! grep -qs '"msg":"recording"' "$work/said" || break
	sleep 0.1
done
grep -q '"msg":"recording"' "$work/said"

phase 1 2 -- 3
sleep 2
phase 4 -- 5 6
sleep 2

kill -TERM "$recorder"
wait "$recorder"
recorder=
