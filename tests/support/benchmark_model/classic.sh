#!/bin/sh
for each in "$@"; do
  case $each in
    --graph=*) graph=${each#--graph=} ;;
    --num_threads=*) threads=${each#--num_threads=} ;;
  esac
done
echo "$@" >> "$ROOT/calls"
calls=$(wc -l < "$ROOT/calls")
[ -f "$ROOT/fault" ] && . "$ROOT/fault"
[ -f "$graph" ] || { echo "ERROR: Could not open '$graph'."; exit 1; }
us=$(($(wc -c < "$graph") / 10 / threads))

cat << END
STARTING!
Log parameter values verbosely: [0]
Min num runs: [5]
Num threads: [$threads]
Graph: [$graph]
#threads used for CPU inference: [$threads]
Loaded model $graph
INFO: Initialized TensorFlow Lite runtime.
INFO: Created TensorFlow Lite XNNPACK delegate for CPU.
The input model file size (MB): 0.016
Initialized session in 0.63ms.
Running benchmark for at least 1 iterations and at least 0.5 seconds but terminate if exceeding 150 seconds.
count=132 first=$((us + 900)) curr=$us min=$us max=$((us + 900)) avg=$((us + 70)) std=38

Running benchmark for at least 5 iterations and at least 0.5 seconds but terminate if exceeding 150 seconds.
count=264 first=$us curr=$((us + 1)) min=$((us - 20)) max=$((us + 200)) avg=$us.92 std=28

Inference timings in us: Init: 630, First inference: $((us + 900)), Warmup (avg): $((us + 70)).66, Inference (avg): $us.92
Note: as the benchmark tool itself affects memory footprint, the following is only APPROXIMATE to the actual memory footprint of the model at runtime. Take the information at your discretion.
Memory footprint delta from the start of the tool (MB): init=3.61719 overall=8.4
END
