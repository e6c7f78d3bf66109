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

case "$*" in *--use_xnnpack*) echo "WARNING: unrecognized commandline flag: --use_xnnpack=false" ;; esac
cat << END
INFO: [benchmark_model.cc:177] Log parameter values verbosely: [0]
INFO: Running benchmark for at least 1 iterations and at least 0.5 seconds but terminate if exceeding 150 seconds.
INFO: count=1 curr=$((us + 900))

INFO: Running benchmark for at least 5 iterations and at least 0.5 seconds but terminate if exceeding 150 seconds.
INFO: count=264 first=$us curr=$((us + 1)) min=$((us - 20)) max=1.05887e+06 avg=$us.92 std=28 p5=$((us - 10)) median=$us p95=$((us + 165))

INFO: [benchmark_litert_model.h:61]
========== BENCHMARK RESULTS ==========
INFO: [benchmark_litert_model.h:62] Model initialization: 1.25 ms
INFO: [benchmark_litert_model.h:63] Warmup (first):       3.68 ms
INFO: [benchmark_litert_model.h:65] Warmup (avg):         3.68 ms (1 runs)
INFO: [benchmark_litert_model.h:67] Inference (avg):      1.00 ms (264 runs)
INFO: [benchmark_litert_model.h:71] Inference (min):      0.98 ms
INFO: [benchmark_litert_model.h:73] Inference (max):      1058.87 ms
INFO: [benchmark_litert_model.h:75] Inference (std):      0.03
INFO: [benchmark_litert_model.h:87] Throughput:           12.00 MB/s
======================================
END
