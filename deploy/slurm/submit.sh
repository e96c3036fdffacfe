#!/bin/bash
# Runs a mayfly command as an array of shards and a job that merges them:
#
#   submit.sh SHARDS FOLDER OUTPUT COMMAND ARGUMENT...
#   submit.sh 64 /shared/parts /shared/features.parquet ingest /shared/fleet
#   submit.sh 16 /shared/learn /shared/web.mayfly train /shared/features.parquet --fpr 0.001
#   submit.sh 64 /shared/scored /shared/findings.jsonl replay /shared/web.mayfly /shared/fleet
#
# All paths are on a file system that every node has. The number of the merging job goes
# to stdout; a further command may depend on it. MAYFLY names the program, SBATCH_… the
# partition and account (sbatch(1)).
set -eu
if [ $# -lt 5 ]; then
	sed -n '2,/^set/s/^# \{0,1\}//p' "$0" >&2
	exit 2
fi
here=$(cd "$(dirname "$0")" && pwd)
MAYFLY_SHARDS=$1 MAYFLY_SHARDS_DIR=$2 output=$3
shift 3
export MAYFLY_SHARDS MAYFLY_SHARDS_DIR
array=$(sbatch --parsable --array="0-$((MAYFLY_SHARDS - 1))" "$here/shards.sbatch" "$@")
exec sbatch --parsable --dependency="afterok:${array%%;*}" --kill-on-invalid-dep=yes "$here/merge.sbatch" "$output"
