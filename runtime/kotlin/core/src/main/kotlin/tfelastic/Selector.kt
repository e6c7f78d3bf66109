package tfelastic

import java.util.concurrent.Callable
import java.util.concurrent.ExecutionException
import java.util.concurrent.Executors
import java.util.concurrent.RejectedExecutionException
import java.util.concurrent.TimeUnit
import kotlin.coroutines.resume
import kotlinx.coroutines.suspendCancellableCoroutine

/** What became of one call. */
sealed class Inference {
    /**
     * A variant ran.
     *
     * @property outputs Real numbers by the outputs' names, without the first axis.
     * @property label The most likely class's label, where one output is a classifier's with labels; else null.
     * @property variant The name of the variant that ran.
     * @property latencyUs What it took, in microseconds, with encoding the inputs and decoding the outputs.
     * @property predictedUs What nine runs of ten were predicted to keep.
     * @property isFeasible Whether the prediction kept the budget; if not, the fastest variant ran.
     * @property failures Variants that this selector no longer uses, as they could not be opened or run, and why.
     */
    class Completed internal constructor(
        val outputs: Map<String, FloatArray>,
        val label: String?,
        val variant: String,
        val latencyUs: Int,
        val predictedUs: Long,
        val isFeasible: Boolean,
        val failures: Map<String, String>,
    ) : Inference() {
        /** The only output of a network that has one. */
        val output: FloatArray
            get() = outputs.values.singleOrNull()
                ?: throw InputException("the network has the outputs ${listed(outputs.keys)}: take one from outputs by its name")
    }

    /** Nothing ran: the inputs were refused, the selector is closed, or no variant runs. */
    class Failed internal constructor(val error: TfelasticException) : Inference()
}

/**
 * Runs a bundle's variants under a latency budget; `Selector.open` makes one.
 *
 * Every run chooses anew: the variant of the best score whose measured latency, scaled by how slow the device is now,
 * keeps the budget. One thread of its own runs them, so calls from several threads take turns.
 */
class Selector private constructor(
    private val bundle: Bundle,
    private val pool: RunnerPool,
    latencies: Map<String, Latency>,
    failures: Map<String, String>,
    budgetUs: Int,
    private val clock: () -> Long,
) : AutoCloseable {
    /** The table that the selector started from, by variant name. */
    val latencies: Map<String, Latency> = latencies.toMap()

    // These three change on the executor's thread alone.
    private var candidates = bundle.variants.filter { it.name in latencies }
    private var failures = failures.toMap()
    private val policy = candidates.map { latencies.getValue(it.name).row(bundle.manifest.score.order(it.score)) }.let(::Policy)

    private val executor = Executors.newSingleThreadExecutor { task ->
        Thread(task, "tfelastic").apply {
            isDaemon = true
            worker = this
        }
    }

    @Volatile
    private var worker: Thread? = null

    @Volatile
    private var isClosed = false

    /** The latency that nine runs of ten should keep, in microseconds; the next run heeds a change. */
    @Volatile
    var budgetUs: Int = checkBudgetUs(budgetUs)
        set(value) {
            field = checkBudgetUs(value)
        }

    /** How much slower the device is now than when its latencies were measured. */
    val slowdown: Double get() = policy.slowdown.factor

    /** Runs the variant that the budget allows. A call that is cancelled before its turn does not run. */
    suspend fun run(inputs: Map<String, InputValue>): Inference = suspendCancellableCoroutine { waiting ->
        try {
            executor.execute { if (waiting.isActive) waiting.resume(turn(inputs)) }
        } catch (_: RejectedExecutionException) {
            waiting.resume(closed())
        }
    }

    /** Runs on the value of a network's only input. */
    suspend fun run(input: InputValue): Inference = run(named(input))

    /** Runs the variant that the budget allows, and waits for it. */
    fun runBlocking(inputs: Map<String, InputValue>): Inference {
        val done = try {
            executor.submit(Callable { turn(inputs) })
        } catch (_: RejectedExecutionException) {
            return closed()
        }
        return try {
            done.get()
        } catch (cause: ExecutionException) {
            throw cause.cause ?: cause
        }
    }

    /** Runs on the value of a network's only input, and waits. */
    fun runBlocking(input: InputValue): Inference = runBlocking(named(input))

    /** Closes every open variant, after a run that is under way; calls that still wait fail. May be called again. */
    override fun close() {
        isClosed = true
        if (Thread.currentThread() === worker) {
            // From within a call's continuation: waiting for this very thread would never end.
            pool.close()
            executor.shutdown()
            return
        }
        try {
            executor.execute(pool::close)
        } catch (_: RejectedExecutionException) {
            // Closed by another thread: wait for it as well.
        }
        executor.shutdown()
        executor.awaitTermination(Long.MAX_VALUE, TimeUnit.NANOSECONDS)
    }

    private fun turn(inputs: Map<String, InputValue>): Inference {
        if (isClosed) return closed()
        while (candidates.isNotEmpty()) {
            val choice = policy.choose(budgetUs, rowsNow())
            val name = candidates[choice.index].name
            try {
                return completed(choice, name, inputs)
            } catch (refused: InputException) {
                return Inference.Failed(refused)
            } catch (cause: Throwable) {
                failures = failures + (name to reasonOf(cause))
                candidates = candidates - candidates[choice.index]
                policy.remove(choice.index)
                closeQuietly(name)
            }
        }
        return Inference.Failed(BackendException("no variant runs: $failures"))
    }

    private fun completed(choice: Choice, name: String, inputs: Map<String, InputValue>): Inference {
        val runner = pool.get(name, inputs)
        val start = clock()
        val outputs = runner.run(inputs)
        val latencyUs = microseconds(clock() - start)
        policy.observe(latencyUs.toLong())
        return Inference.Completed(
            outputs, labelOf(outputs), name, latencyUs, choice.predictedUs, choice.isFeasible, failures,
        )
    }

    /** Switching to an open variant takes no time. */
    private fun rowsNow(): List<Row> = policy.table.mapIndexed { index, row ->
        if (row.switchUs > 0 && pool.isOpen(candidates[index].name)) row.copy(switchUs = 0) else row
    }

    private fun labelOf(outputs: Map<String, FloatArray>): String? {
        val classifier = bundle.manifest.classifier ?: return null
        val numbers = outputs.getValue(classifier.name)
        // Of several largest numbers the first counts.
        var best = 0
        for (index in numbers.indices) if (numbers[index] > numbers[best]) best = index
        return classifier.labels?.get(best)
    }

    /** What failed may fail to close as well, which must not hide the result of the next variant. */
    private fun closeQuietly(name: String) {
        try {
            pool.close(name)
        } catch (cause: Throwable) {
            failures = failures + (name to "${failures[name]}; closing it: ${reasonOf(cause)}")
        }
    }

    private fun named(input: InputValue): Map<String, InputValue> =
        bundle.manifest.inputs.singleOrNull()?.let { mapOf(it.name to input) } ?: emptyMap()

    private fun closed() = Inference.Failed(ClosedException("the selector is closed: open the bundle again with Selector.open"))

    companion object {
        /**
         * Opens a bundle for running under a budget.
         *
         * @param budgetUs The latency that nine runs of ten should keep, in microseconds.
         * @param profile The variants' latencies on this device; null measures them now, by `calibrate`.
         * @param threads How many threads an interpreter may use.
         * @param resident How many variants may be open at once; each costs its weights in memory.
         * @param clock Returns nanoseconds, and never runs backwards.
         * @throws ProfileException The profile is not of this bundle, or not of these threads and kernels.
         */
        fun open(
            bundle: Bundle,
            backend: Backend,
            budgetUs: Int,
            profile: Profile? = null,
            threads: Int = 1,
            resident: Int = 2,
            clock: () -> Long = System::nanoTime,
        ): Selector {
            require(threads >= 1 && resident >= 1) { "threads and resident must be positive, received $threads and $resident" }
            checkBudgetUs(budgetUs)
            profile?.let { checkProfile(it, bundle, backend, threads) }
            val measured = if (profile != null) null else calibrate(bundle, backend, mapOf("name" to "this device"), threads)
            val latencies = profile?.latencies ?: measured!!.latencies
            val pool = RunnerPool(bundle, backend, threads, resident)
            return Selector(bundle, pool, latencies, measured?.failures.orEmpty(), budgetUs, clock)
        }

        private fun checkProfile(profile: Profile, bundle: Bundle, backend: Backend, threads: Int) {
            fun refuse(message: String): Nothing = throw ProfileException("$message: measure anew")
            val names = bundle.variants.map(VariantInfo::name)
            if (profile.latencies.keys != names.toSet()) {
                refuse("the profile is not of this bundle, expected latencies of $names, received ${profile.latencies.keys}")
            }
            if (profile.bundleSha256 != null && profile.bundleSha256 != bundle.payloadSha256) {
                refuse("the profile is of another bundle, expected ${bundle.payloadSha256}, received ${profile.bundleSha256}")
            }
            if (profile.threads != threads) {
                refuse("the profile was measured with ${profile.threads} threads, the selector is opened with $threads")
            }
            if (profile.kernels != null && backend.kernels != null && profile.kernels != backend.kernels) {
                refuse("the profile was measured with the kernels ${profile.kernels}, the selector is opened with ${backend.kernels}")
            }
        }
    }
}
