#!/usr/bin/env bash
# Runs the project on a machine with an NVIDIA GPU: tests, parity, trainings, and times beside PyTorch's.
#
# usage: benches/gpu/run.sh BUNDLE RESULTS [STEP...]
#
# BUNDLE: what `cargo xtask gpu` has packed (bundle.tar.xz), or the folder with its contents. RESULTS: a folder for
# results.tar.gz. Steps, in order: machine tests parity errors train steps layers sanitize trace. Each has a time limit
# of its own (with QUICK=1 some parts are left out), writes its output to a file, and does not stop the others. Needs python3 with PyTorch for CUDA, whose
# CUDA libraries ours use, too.
set -uo pipefail

bundle=$1 results=$2
shift 2
steps=${*:-machine tests parity errors train steps layers sanitize trace}
here=$(cd "$(dirname "$0")" && pwd)
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
import glob, os, nvidia
print(":".join(sorted({os.path.dirname(f) for base in nvidia.__path__ for f in glob.glob(base + "/**/lib*.so*", recursive=True)})))
END
):/usr/local/cuda/lib64:${LD_LIBRARY_PATH:-}
export HOME=$work

# run NAME SECONDS COMMAND...: runs a command within a time limit; its output goes to NAME.txt.
run() {
  local name=$1 limit=$2
  shift 2
  local start=$SECONDS
  timeout --kill-after=5 "$limit" "$@" >"$logs/$name.txt" 2>&1
  local rc=$?
  echo "== $name: rc $rc, $((SECONDS - start)) s (at $((SECONDS - began)) s)"
  tail -n "${LINES_SHOWN:-6}" "$logs/$name.txt" | cut -c1-300
  tar -C "$work" -czf "$results/results.tar.gz" logs
}

machine() {
  run machine 30 bash -c 'nvidia-smi; nproc; uname -r; python3 -c "import torch; print(torch.__version__, torch.version.cuda, torch.backends.cudnn.version(), torch.cuda.get_device_name(), torch.cuda.get_device_capability())"; ldd "$0" | grep -E "not found|libcud|libcublas|libnv" || true' "$bundle/sentiment"
}

# One process for each test: an error of the device stays with a process.
each_test() {
  local binary=$1 prefix=$2 limit=$3
  for test in $("$binary" --list 2>/dev/null | sed -n 's/: test$//p'); do
    LINES_SHOWN=12 run "$prefix-$test" "$limit" "$binary" --exact "$test" --nocapture --test-threads 1
  done
}
tests() { each_test "$bundle/test-cudnn" cudnn 60; }
parity() { each_test "$bundle/test-cuda" cuda 90; }

errors() {
  run no-device 20 env CUDA_VISIBLE_DEVICES= "$bundle/sentiment" train --device cuda --data "$bundle/reviews.parquet" --output "$work/none"
  run out-of-memory 60 "$bundle/sentiment" train --device cuda --recipe notebook --data "$bundle/reviews.parquet" --output "$work/oom" --restart --set training.batch_size=20000 --set model.hidden_dim=4096
}

train() {
  for recipe in notebook default quick; do
    LINES_SHOWN=30 run "train-$recipe" 80 "$bundle/sentiment" train --device cuda --recipe "$recipe" --profile --data "$bundle/reviews.parquet" --output "$work/models/$recipe"
  done
}

# One training step and one evaluation of both recipes' networks, ours and PyTorch's.
steps() {
  for recipe in notebook default; do
    run "export-$recipe" 60 "$bundle/notebook-times" --recipe "$recipe" --data "$bundle/reviews.parquet" --export "$work/reviews-$recipe"
    for work_kind in train evaluate; do
      local flags="--recipe $recipe --work $work_kind --device cuda --runs 9"
      [ $work_kind = train ] && flags="$flags --steps-per-run 20"
      run "ours-$recipe-$work_kind" 60 "$bundle/notebook-times" $flags --data "$bundle/reviews.parquet"
      local batch=
      [ $recipe-$work_kind = notebook-evaluate ] && batch="--evaluation-batch 327"
      local torch="python3 $here/../peers/torch_notebook.py $flags $batch --reviews $work/reviews-$recipe"
      run "torch-$recipe-$work_kind" 60 $torch
      if [ $recipe = default ]; then run "torch-$recipe-$work_kind-padded" 60 $torch --packing padded; fi
      [ -n "${QUICK:-}" ] && continue
      run "torch-$recipe-$work_kind-bf16" 60 $torch --precision bf16
      run "torch-$recipe-$work_kind-compiled" 90 $torch --compile --warmup 4
    done
  done
}

layers() {
  LINES_SHOWN=100 run layers "${LAYER_SECONDS:-150}" python3 "$here/layers.py" --ours "$bundle/layer-times" --output "$logs/layers.jsonl" --seconds "$((${LAYER_SECONDS:-150} - 25))" ${LAYER_FLAGS:-}
}

sanitize() {
  run sanitize 100 compute-sanitizer --tool memcheck --error-exitcode 9 "$bundle/test-cudnn" --exact a_row_of_length_0_keeps_its_state
  run sanitize-race 60 compute-sanitizer --tool racecheck --error-exitcode 9 "$bundle/test-cudnn" --exact dropout_drops_what_it_drops_on_the_cpu
}

# Where a step's time goes.
trace() {
  for recipe in notebook default; do
    local flags="--recipe $recipe --work train --device cuda --runs 10 --steps-per-run 20 --warmup 1"
    run "trace-ours-$recipe" 60 env CUDA_INJECTION64_PATH="$bundle/libtrace.so" TRACE_OUT="$logs/trace-ours-$recipe.json" TRACE_LAST_S=2 "$bundle/notebook-times" $flags --data "$bundle/reviews.parquet"
    run "trace-torch-$recipe" 60 env CUDA_INJECTION64_PATH="$bundle/libtrace.so" TRACE_OUT="$logs/trace-torch-$recipe.json" TRACE_LAST_S=2 python3 "$here/../peers/torch_notebook.py" $flags --reviews "$work/reviews-$recipe"
  done
}

for step in $steps; do "$step"; done
echo "== all: $((SECONDS - began)) s"
