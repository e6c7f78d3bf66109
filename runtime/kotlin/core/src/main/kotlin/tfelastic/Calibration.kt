package tfelastic

/**
 * What `calibrate` measured.
 *
 * @property latencies One latency per variant that runs on this device.
 * @property failures Why the others do not run, by name.
 * @property profile The table, as it may be kept; null where a variant does not run, as a table names them all.
 */
class Calibration internal constructor(
    val latencies: Map<String, Latency>,
    val failures: Map<String, String>,
    val profile: Profile?,
)

/**
 * Times a bundle's variants on this device, in turns, so that a drift of the clock speed hits all of them alike.
 *
 * Call it in the foreground, while nothing else computes: a phone gives background work its slow cores.
 *
 * @param device What is known of the device, such as `mapOf("name" to Build.MODEL)`.
 * @param rounds How often all the variants take their turn; each is opened anew, run once, then timed `runs` times.
 * @param limitMs When the time is over no further round begins, and each variant of the present one runs once.
 * @param onVariant Called before each turn with the variant's name and the share of the work that is done.
 * @throws BackendException No variant runs.
 */
fun calibrate(
    bundle: Bundle,
    backend: Backend,
    device: Map<String, Any>,
    threads: Int = 1,
    rounds: Int = 5,
    runs: Int = 4,
    limitMs: Long = 10_000,
    clock: () -> Long = System::nanoTime,
    onVariant: (String, Double) -> Unit = { _, _ -> },
): Calibration {
    val blank = blankInputs(bundle.manifest.inputs)
    val turns = LinkedHashMap<String, Turns>()
    val failures = LinkedHashMap<String, String>()
    val start = clock()
    fun isOver() = (clock() - start) / 1_000_000 >= limitMs
    for (round in 0 until rounds) {
        if (round > 0 && isOver()) break
        for ((index, variant) in bundle.variants.withIndex()) {
            if (variant.name in failures) continue
            onVariant(variant.name, (round + index.toDouble() / bundle.variants.size) / rounds)
            val measured = turns.getOrPut(variant.name, ::Turns)
            try {
                measured.take(Turn(clock) { Runner.open(bundle, variant.name, backend, threads) }, blank, runs, ::isOver)
            } catch (cause: Throwable) {
                failures[variant.name] = reasonOf(cause)
                turns.remove(variant.name)
            }
        }
    }
    if (turns.isEmpty()) throw BackendException("no variant runs: $failures")
    val latencies = turns.mapValues { (_, measured) -> measured.latency() }
    val profile = if (failures.isNotEmpty()) null else
        Profile(device, threads, latencies, backend.runtime, backend.kernels, bundle.payloadSha256)
    return Calibration(latencies, failures, profile)
}

/** Opens a variant and times what it does. */
private class Turn(val clock: () -> Long, val open: () -> Runner) {
    inline fun <T> timed(samples: MutableList<Int>, what: () -> T): T {
        val start = clock()
        val found = what()
        samples += microseconds(clock() - start)
        return found
    }
}

private class Turns {
    private val openings = ArrayList<Int>()
    private val firsts = ArrayList<Int>()
    private val samples = ArrayList<Int>()

    fun take(turn: Turn, values: Map<String, InputValue>, runs: Int, isOver: () -> Boolean) {
        turn.timed(openings) { turn.open() }.use { runner ->
            turn.timed(firsts) { runner.run(values) }
            for (run in 0 until runs) {
                if (run > 0 && isOver()) break
                turn.timed(samples) { runner.run(values) }
            }
        }
    }

    fun latency(): Latency = Latency.of(samples, firstUs = Latency.of(firsts).p50Us, switchUs = Latency.of(openings).p50Us)
}

/** Returns whole microseconds, rounded up, at least 1: no latency is ever reported as nothing. */
internal fun microseconds(nanoseconds: Long): Int {
    val rounded = nanoseconds / 1000 + if (nanoseconds % 1000 > 0) 1 else 0
    return rounded.coerceIn(1L, MICROSECONDS_MAX.toLong()).toInt()
}

/** Returns why a variant does not run; throws what no other variant could mend. */
internal fun reasonOf(cause: Throwable): String = when (cause) {
    is InterruptedException -> throw cause
    is Exception, is LinkageError, is OutOfMemoryError -> cause.message ?: cause.javaClass.name
    else -> throw cause
}
