package tfelastic

import kotlin.math.abs

private const val ONE = 1L shl 16
private const val RUN_MIN = ONE shr 4
private const val RUN_MAX = ONE shl 6
private const val DEVIATION_MIN = ONE shr 5
private const val TOLERANCE_MIN = ONE shr 3
private const val TOLERANCE_MAX = ONE shr 1
private const val DEVIATION_SHIFT = 6

/** The runs that a mean remembers: fewer when it rises, for a slow run costs more than a narrow variant. */
private const val RISE_RUNS = 8
private const val FALL_RUNS = 12
private const val LASTING_RUNS = 4

/** Runs wrongly believed at once, with no load between them, that lower the trust. */
private const val DOUBTS = 2
private const val TRIAL_RUNS = 8
private const val PATIENCE_MAX = 64

/**
 * How much slower the device is now than when its table was measured (`runtime/SPEC.md`, section 4).
 *
 * All numbers whose names end in `Q16` are in fixed point: 65536 is 1.0.
 *
 * @property q16 The slowdown that predictions use.
 * @property spreadQ16 The relative spread that predictions use; 0 before the first run.
 * @property meanQ16 Mean slowdown of the runs since the last change of level.
 * @property deviationQ16 Mean relative difference between successive runs.
 * @property runs Runs in the mean, at most 12; 0 before the first run.
 * @property latestQ16 The latest run's slowdown, or 0; `latestP50Us` is the median latency of its variant.
 * @property slowQ16 A slow run that waits for confirmation, or 0.
 * @property beforeQ16 The slowdown before a slow run that was believed at once, or 0.
 * @property trustedQ16 Slow runs up to this factor of the mean are believed at once.
 * @property doubts Runs that were wrongly believed at once since the last load; two lower the trust.
 * @property pendingQ16 The factor of a load that is trusted once it has lasted four runs, or 0.
 * @property fastRuns Clearly fast runs in succession; `patience` of them lower the slowdown.
 * @property trial Runs for which a slow run would still refute the latest lowering.
 */
data class Slowdown(
    val q16: Long = ONE,
    val spreadQ16: Long = 0,
    val meanQ16: Long = ONE,
    val deviationQ16: Long = 0,
    val runs: Int = 0,
    val latestQ16: Long = 0,
    val latestP50Us: Int = 0,
    val slowQ16: Long = 0,
    val beforeQ16: Long = 0,
    val trustedQ16: Long = 0,
    val doubts: Int = 0,
    val pendingQ16: Long = 0,
    val fastRuns: Int = 0,
    val patience: Int = 1,
    val trial: Int = 0,
) {
    /** The slowdown as a fraction, for people. */
    val factor: Double get() = q16.toDouble() / ONE

    /** Returns the estimate after the variant of `row` took `observedUs`, without the time of switching. */
    fun observe(row: Row, observedUs: Long): Slowdown {
        val run = (observedUs.coerceIn(1L, MICROSECONDS_MAX.toLong()) * ONE / row.p50Us).coerceIn(RUN_MIN, RUN_MAX)
        var state = if (runs > 0) this else copy(runs = 1, deviationQ16 = deviationOf(row))
        // The tables of two variants may err in different ways, which is no noise.
        if (state.latestP50Us != row.p50Us) state = state.copy(latestQ16 = 0, latestP50Us = row.p50Us)
        val tolerance = (4 * state.deviationQ16).coerceIn(TOLERANCE_MIN, TOLERANCE_MAX)
        val band = state.meanQ16 * tolerance / ONE
        return when {
            run > state.meanQ16 + band -> state.afterSlow(run, tolerance)
            run < state.meanQ16 - band -> state.afterFast(run, tolerance)
            else -> state.afterUsual(run, tolerance)
        }
    }

    /** Returns the latency in microseconds that nine runs of ten of the variant will keep, rounded up. */
    fun predictUs(row: Row): Long {
        val upper = q16 + q16 * spreadQ16 / ONE
        return (maxOf(row.p90Us * q16, row.p50Us * upper) + ONE - 1) / ONE
    }

    private fun afterSlow(run: Long, tolerance: Long): Slowdown = when {
        trial > 0 -> learned(run, tolerance).copy(patience = minOf(2 * patience, PATIENCE_MAX), trial = 0).at(run)
        beforeQ16 != 0L -> learned(run, tolerance).at(run)
        slowQ16 != 0L -> learned(run, tolerance).at(minOf(run, slowQ16)).copy(pendingQ16 = slowQ16 * ONE / meanQ16)
        run * ONE <= trustedQ16 * meanQ16 -> learned(run, tolerance).at(run).copy(beforeQ16 = meanQ16)
        else -> copy(slowQ16 = run, fastRuns = 0)
    }

    private fun afterFast(run: Long, tolerance: Long): Slowdown {
        val state = learned(run, tolerance)
        return when {
            beforeQ16 != 0L && doubts + 1 == DOUBTS ->
                state.copy(trustedQ16 = meanQ16 * ONE / beforeQ16 - 1, doubts = 0).at(beforeQ16)
            beforeQ16 != 0L -> state.copy(doubts = doubts + 1).at(beforeQ16)
            fastRuns + 1 >= state.patience -> state.at(run).copy(trial = TRIAL_RUNS)
            else -> state.copy(slowQ16 = 0, fastRuns = fastRuns + 1)
        }
    }

    private fun afterUsual(run: Long, tolerance: Long): Slowdown {
        val count = minOf(runs + 1, FALL_RUNS)
        val mean =
            if (run >= meanQ16) meanQ16 + (run - meanQ16) / minOf(count, RISE_RUNS) else meanQ16 - (meanQ16 - run) / count
        val isLasting = pendingQ16 != 0L && count >= LASTING_RUNS
        val state = learned(run, tolerance)
        return state.copy(
            q16 = minOf(maxOf(q16, mean), mean + mean * state.spreadQ16 / (2 * ONE)),
            meanQ16 = mean,
            runs = count,
            // The next load may be somewhat heavier than the heaviest until now.
            trustedQ16 = if (isLasting) maxOf(trustedQ16, pendingQ16 + pendingQ16 / 8) else trustedQ16,
            doubts = if (isLasting || beforeQ16 != 0L) 0 else doubts,
            pendingQ16 = if (isLasting) 0 else pendingQ16,
            slowQ16 = 0,
            beforeQ16 = 0,
            fastRuns = 0,
        )
    }

    /** Returns the state with the deviation updated, and one run less on trial. */
    private fun learned(run: Long, tolerance: Long): Slowdown {
        var deviation = deviationQ16
        if (latestQ16 != 0L) {
            val difference = minOf(abs(run - latestQ16) * ONE / maxOf(run, latestQ16), tolerance)
            val step = abs(difference - deviation) shr DEVIATION_SHIFT
            deviation += if (difference >= deviation) step else -step
        }
        return copy(
            latestQ16 = run,
            deviationQ16 = deviation,
            spreadQ16 = minOf(maxOf(spreadQ16, deviation), 4 * deviation / 3),
            trial = maxOf(trial - 1, 0),
            patience = if (trial == 1) 1 else patience,
        )
    }

    private fun at(level: Long): Slowdown =
        copy(q16 = level, meanQ16 = level, runs = 1, slowQ16 = 0, beforeQ16 = 0, pendingQ16 = 0, fastRuns = 0)
}

/** Returns the deviation that a row's percentiles imply, for latencies of a normal distribution. */
private fun deviationOf(row: Row): Long =
    (7L * (row.p90Us - row.p50Us) * ONE / (8L * row.p50Us)).coerceIn(DEVIATION_MIN, TOLERANCE_MAX)
