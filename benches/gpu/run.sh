#!/usr/bin/env bash
# Runs the project on a machine with an NVIDIA GPU: tests, parity, trainings, and times beside PyTorch's.
#
# usage: ./run.sh RESULTS [STEP...]                      among the files of a bundle, as `cargo xtask gpu` packs it
#        benches/gpu/run.sh BUNDLE RESULTS [STEP...]     from the repository, with its scripts in place of the bundle's
#
# BUNDLE: bundle.tar.xz, or the folder with its contents. RESULTS: a folder for results.tar.gz. Steps, in order: machine
# tests parity errors train steps precisions layers sanitize trace compiled. Each has a time limit of its own, and all
# together LIMIT_S seconds (default 530); a step that fails does not stop the others. Each writes its output to a file.
# With PEERS=none PyTorch is left out; RECIPES are those to train, TESTS a pattern of tests. With REHEARSAL=1, on a machine without a GPU, the
# script ends with 1 if a step fails for another reason. Needs python3 with PyTorch for CUDA, whose CUDA libraries ours
# use, too.
set -uo pipefail

here=$(cd "$(dirname "$0")" && pwd)
if [ -e "$here/reviews.parquet" ]; then
  set -- "$here" "$@"
  scripts=$here/benches
else
  scripts=$(dirname "$here")
fi
if [ $# -lt 2 ]; then
  sed -n '4,5s/^# //p' "$0" >&2
  exit 2
fi
bundle=$1 results=$2
shift 2
steps=${*:-machine tests parity errors train steps precisions layers sanitize trace compiled}
[ -z "${REHEARSAL:-}" ] || steps="starts $steps"
began=$SECONDS
mkdir -p "$results"
work=$(mktemp -d)
logs=$work/logs
mkdir -p "$logs"

if [ -f "$bundle" ]; then
  mkdir "$work/bundle"
  tar -C "$work/bundle" -xJf "$bundle" || exit 1
  bundle=$work/bundle
fi
bundle=$(cd "$bundle" && pwd)
export LD_LIBRARY_PATH=$(python3 - <<'END'
import glob, os, sys
try: import nvidia
except ImportError: sys.exit("run.sh: python3 has no package of CUDA libraries; ours are looked for in LD_LIBRARY_PATH and /usr/local/cuda")
print(":".join(sorted({os.path.dirname(f) for base in nvidia.__path__ for f in glob.glob(base + "/**/lib*.so*", recursive=True)})))
END
):/usr/local/cuda/lib64:${LD_LIBRARY_PATH:-}
export HOME=$work RUST_BACKTRACE=0 # A program's last line says what is wrong.

# What a step may fail for in a rehearsal.
no_gpu="CUDA_ERROR_NO_DEVICE|PyTorch finds no CUDA device|No module named '(torch|numpy)'|compute-sanitizer.*No such file"
failed=

# run NAME SECONDS COMMAND...: runs a command within a time limit; its output goes to NAME.txt.
run() {
  local name=$1 limit=$2 left=$((${LIMIT_S:-530} - SECONDS + began))
  shift 2
  if [ $left -lt 5 ]; then
    echo "== $name: left out, no time is left"
    failed="$failed $name"
    return
  fi
  [ "$limit" -le $left ] || limit=$left
  local start=$SECONDS
  timeout --kill-after=5 "$limit" "$@" >"$logs/$name.txt" 2>&1
  local rc=$?
  echo "== $name: rc $rc, $((SECONDS - start)) s (at $((SECONDS - began)) s)"
  tail -n "${LINES_SHOWN:-6}" "$logs/$name.txt" | cut -c1-300
  # In a rehearsal a step may fail for want of a GPU.
  local is_excused=
  if [ -n "${REHEARSAL:-}" ] && [ $rc != 124 ] && [ $rc != 137 ] && grep -Eq "$no_gpu" "$logs/$name.txt"; then is_excused=1; fi
  if [ $rc != 0 ] && [ -z "$is_excused" ]; then failed="$failed $name"; fi
  tar -C "$work" -czf "$results/results.tar.gz" logs
}

# Only in a rehearsal: every program starts, every script can be read, and layers.py works on the CPU.
starts() {
  for program in sentiment layer-times notebook-times; do run "start-$program" 20 "$bundle/$program" --help; done
  run start-scripts 20 python3 -c 'import ast, sys; [ast.parse(open(path).read(), path) for path in sys.argv[1:]]' "$scripts"/gpu/*.py "$scripts"/peers/*.py
  run start-layers 120 python3 "$scripts/gpu/layers.py" --ours "$bundle/layer-times" --output "$logs/start-layers.jsonl" --device cpu --seconds 1 --runs 1 ${LAYER_FLAGS:-}
  if [ -e "$bundle/libtrace.so" ]; then run start-trace 20 python3 -c 'import ctypes, sys; ctypes.CDLL(sys.argv[1]).InitializeInjection' "$bundle/libtrace.so"; fi
}

machine() {
  run machine 30 bash -c 'nvidia-smi; nproc; uname -r; python3 -c "import torch; print(torch.__version__, torch.version.cuda, torch.backends.cudnn.version(), torch.cuda.get_device_name(), torch.cuda.get_device_capability())"; ldd "$0" | grep -E "not found|libcud|libcublas|libnv" || true' "$bundle/sentiment"
}

# One process for each test: an error of the device stays with a process.
each_test() {
  local binary=$1 prefix=$2 limit=$3
  run "$prefix-list" 20 bash -c '"$0" --list | grep ": test$"' "$binary"
  for test in $(sed -n 's/: test$//p' "$logs/$prefix-list.txt" | grep -E "${TESTS:-.}"); do
    LINES_SHOWN=12 run "$prefix-$test" "$limit" "$binary" --exact "$test" --nocapture --test-threads 1
  done
}
tests() {
  each_test "$bundle/test-cudnn" cudnn 60
  each_test "$bundle/test-cudnn_bf16" bf16 60
}
parity() { each_test "$bundle/test-cuda" cuda 90; }

errors() {
  # Both are to fail.
  fails no-device 20 env CUDA_VISIBLE_DEVICES= "$bundle/sentiment" train --device cuda --data "$bundle/reviews.parquet" --output "$work/none"
  fails out-of-memory 60 "$bundle/sentiment" train --device cuda --recipe notebook --data "$bundle/reviews.parquet" --output "$work/oom" --restart --set training.batch_size=19000 --set model.hidden_dim=4096
}
fails() {
  run "$@"
  case $failed in
    *" $1") failed=${failed% "$1"} ;;
    *) [ -n "${REHEARSAL:-}" ] || failed="$failed $1" ;;
  esac
}

train() {
  for recipe in ${RECIPES:-notebook default quick}; do
    LINES_SHOWN=30 run "train-$recipe" 80 "$bundle/sentiment" train --device cuda --recipe "$recipe" --profile --data "$bundle/reviews.parquet" --output "$work/models/$recipe"
  done
}

# measure RECIPE WORK NAME FLAGS...: times ours, then PyTorch's, with the same flags.
measure() {
  local recipe=$1 kind=$2 name=$3
  shift 3
  local flags="--recipe $recipe --work $kind --device cuda --runs 7 $*" batch=
  [ "$kind" = train ] && flags="$flags --steps-per-run 20"
  [ "$recipe-$kind" = notebook-evaluate ] && batch="--evaluation-batch 327"
  torch="python3 $scripts/peers/torch_notebook.py $flags $batch --reviews $work/reviews-$recipe"
  run "ours-$recipe-$kind$name" 60 "$bundle/notebook-times" $flags --data "$bundle/reviews.parquet"
  if [ "${PEERS:-}" != none ]; then run "torch-$recipe-$kind$name" 60 $torch; fi
}

# One training step and one evaluation of both recipes' networks, ours and PyTorch's.
steps() {
  for recipe in notebook default; do
    run "export-$recipe" 60 "$bundle/notebook-times" --recipe "$recipe" --data "$bundle/reviews.parquet" --export "$work/reviews-$recipe"
    for kind in train evaluate; do
      measure "$recipe" "$kind" ""
      if [ "$recipe" = default ] && [ "${PEERS:-}" != none ]; then run "torch-$recipe-$kind-padded" 60 $torch --packing padded; fi
    done
  done
}

# The training steps with rounded products (PyTorch's "bf16" is autocast), and PyTorch's compiled; after `steps`.
precisions() {
  for recipe in notebook default; do
    measure "$recipe" train -tf32 --precision tf32
    # Small layers stay in f32.
    [ "$recipe" = default ] || measure "$recipe" train -bf16 --precision bf16
  done
}
compiled() {
  torch="python3 $scripts/peers/torch_notebook.py --work train --device cuda --runs 7 --steps-per-run 20 --compile --warmup 4"
  run torch-notebook-train-compiled 60 $torch --recipe notebook --reviews "$work/reviews-notebook"
  run torch-default-train-compiled 60 $torch --recipe default --packing padded --reviews "$work/reviews-default"
}

layers() {
  LINES_SHOWN=100 run layers "${LAYER_SECONDS:-150}" python3 "$scripts/gpu/layers.py" --ours "$bundle/layer-times" --output "$logs/layers.jsonl" --seconds "$((${LAYER_SECONDS:-150} - 25))" ${LAYER_FLAGS:-}
}

sanitize() {
  local check="compute-sanitizer --error-exitcode 9"
  run sanitize-rows 40 $check --tool memcheck "$bundle/test-cudnn" --exact a_row_of_length_0_keeps_its_state
  run sanitize-races 30 $check --tool racecheck "$bundle/test-cudnn" --exact pooling_on_a_gpu_takes_outputs_of_any_layout
  run sanitize-trainings 90 $check --tool memcheck "$bundle/test-cuda" --exact losses_norms_weights_and_answers_of_whole_trainings_are_the_cpus
}

# Where a step's time goes.
trace() {
  [ -e "$bundle/libtrace.so" ] || { echo "== trace: left out, the bundle has no libtrace.so"; return; }
  for recipe in notebook default; do
    local flags="--recipe $recipe --work train --device cuda --runs 10 --steps-per-run 20 --warmup 1"
    run "trace-ours-$recipe" 60 env CUDA_INJECTION64_PATH="$bundle/libtrace.so" TRACE_OUT="$logs/trace-ours-$recipe.json" TRACE_LAST_S=2 "$bundle/notebook-times" $flags --data "$bundle/reviews.parquet"
    [ "${PEERS:-}" = none ] && continue
    run "trace-torch-$recipe" 60 env CUDA_INJECTION64_PATH="$bundle/libtrace.so" TRACE_OUT="$logs/trace-torch-$recipe.json" TRACE_LAST_S=2 python3 "$scripts/peers/torch_notebook.py" $flags --reviews "$work/reviews-$recipe"
  done
}

for step in $steps; do
  declare -F "$step" >/dev/null || { echo "run.sh: there is no step $step; see the first lines of $0" >&2; exit 2; }
done
for step in $steps; do "$step"; done
echo "== all: $((SECONDS - began)) s${failed:+; failed:$failed}"
[ -z "${REHEARSAL:-}" ] || [ -z "$failed" ]
