package tfelastic

import java.util.concurrent.CountDownLatch
import java.util.concurrent.TimeUnit
import java.util.concurrent.atomic.AtomicInteger
import kotlin.concurrent.thread
import kotlin.test.Test
import kotlin.test.assertEquals
import kotlin.test.assertFailsWith
import kotlin.test.assertFalse
import kotlin.test.assertIs
import kotlin.test.assertNull
import kotlin.test.assertTrue
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.async
import kotlinx.coroutines.awaitAll
import kotlinx.coroutines.cancelAndJoin
import kotlinx.coroutines.launch
import kotlinx.coroutines.runBlocking

class SelectorTest {
    private val backend = StubBackend()

    private fun selector(budgetUs: Int, profile: Profile = Bundles.table(), resident: Int = 2) =
        Selector.open(Bundles.golden, backend, budgetUs, profile, resident = resident, clock = backend.clock)

    private fun Selector.variant(): String = runBlocking(Bundles.image).completed().variant

    @Test
    fun `the best variant that keeps the budget runs`() {
        for ((budgetUs, name) in listOf(5000 to "w100", 4199 to "w050", 2099 to "w025", 1 to "w025")) {
            selector(budgetUs).use { selector ->
                val result = selector.runBlocking(Bundles.image).completed()
                assertEquals(name, result.variant)
                assertEquals(backend.latencyUs(name), result.latencyUs.toLong())
                assertEquals(budgetUs > 1, result.isFeasible)
                assertTrue(result.failures.isEmpty())
            }
        }
    }

    @Test
    fun `a changed budget counts for the next run`() = selector(5000).use { selector ->
        assertEquals("w100", selector.variant())
        selector.budgetUs = 1500
        assertEquals("w025", selector.variant())
        assertFailsWith<BudgetException> { selector.budgetUs = 0 }
        assertEquals(1500, selector.budgetUs)
    }

    @Test
    fun `a load is noticed and its end as well`() = selector(5000).use { selector ->
        repeat(4) { assertEquals("w100", selector.variant()) }
        val quiet = backend.latencyUs
        backend.latencyUs = { 3 * quiet(it) }
        repeat(4) { selector.variant() }
        assertEquals("w025", selector.variant())
        assertEquals(3.0, selector.slowdown, 0.1)
        backend.latencyUs = quiet
        repeat(4) { selector.variant() }
        assertEquals("w100", selector.variant())
    }

    @Test
    fun `at most the stated number of variants is open, and all are closed in the end`() {
        for (resident in 1..3) {
            val stub = StubBackend()
            Selector.open(Bundles.golden, stub, 5000, Bundles.table(), resident = resident, clock = stub.clock).use { selector ->
                for (budgetUs in listOf(5000, 2500, 1500, 5000, 1500, 2500)) {
                    selector.budgetUs = budgetUs
                    selector.variant()
                }
                assertEquals(resident, stub.mostOpen.get())
            }
            assertTrue(stub.open.isEmpty())
            assertEquals(resident == 3, stub.opened.get() == 3, "with room for all none is opened twice")
        }
    }

    @Test
    fun `a new variant runs once before its latency counts`() = selector(5000).use { selector ->
        selector.variant()
        assertEquals(2, backend.runs.get())
        selector.variant()
        assertEquals(3, backend.runs.get())
    }

    @Test
    fun `the label is that of the largest number, of several the first`() = selector(5000).use { selector ->
        val result = selector.runBlocking(Bundles.image).completed()
        val labels = Bundles.golden.manifest.outputs.single().labels!!
        val largest = result.output.indices.maxByOrNull { result.output[it] }!!
        assertEquals(labels[largest], result.label)
    }

    @Test
    fun `a variant that does not open is left out, and the result says so`() = selector(5000).use { selector ->
        backend.onOpen = { if (it == "w100") throw OutOfMemoryError("no room") }
        val result = selector.runBlocking(Bundles.image).completed()
        assertEquals("w050", result.variant)
        assertEquals(mapOf("w100" to "no room"), result.failures)
        backend.onOpen = {}
        assertEquals("w050", selector.variant())
    }

    @Test
    fun `a variant that fails in a run is left out, and closed`() = selector(5000).use { selector ->
        assertEquals("w100", selector.variant())
        backend.onRun = {
            if (it == "w100") {
                backend.running.set(0)
                throw IllegalStateException("the driver crashed")
            }
        }
        val result = selector.runBlocking(Bundles.image).completed()
        assertEquals("w050", result.variant)
        assertEquals(setOf("w100"), result.failures.keys)
        assertFalse("w100" in backend.open)
    }

    @Test
    fun `what was learned of the device survives a variant's failure`() = selector(20_000).use { selector ->
        val quiet = backend.latencyUs
        backend.latencyUs = { 3 * quiet(it) }
        repeat(4) { selector.variant() }
        backend.onRun = {
            if (it == "w100") {
                backend.running.set(0)
                throw IllegalStateException("gone")
            }
        }
        assertEquals("w050", selector.variant())
        assertEquals(3.0, selector.slowdown, 0.1)
    }

    @Test
    fun `where no variant runs the reasons are told`() = selector(5000).use { selector ->
        backend.onOpen = { throw IllegalStateException("no driver for $it") }
        repeat(2) {
            val failed = assertIs<Inference.Failed>(selector.runBlocking(Bundles.image))
            val error = assertIs<BackendException>(failed.error)
            for (name in listOf("w100", "w050", "w025")) assertTrue("no driver for $name" in error.message!!)
        }
    }

    @Test
    fun `inputs that do not fit are refused by name, and nothing runs`() {
        val stub = StubBackend(Bundles.interfaces)
        val good = blankInputs(Bundles.interfaces.manifest.inputs)
        Selector.open(Bundles.interfaces, stub, 5000, Bundles.table(Bundles.interfaces), clock = stub.clock).use { selector ->
            val nan = InputValue.Reals(FloatArray(5) { Float.NaN })
            val bad = mapOf(
                "features" to good - "features",
                "more" to good + ("more" to nan),
                "previous" to good + ("previous" to InputValue.Reals(FloatArray(4))),
                "image" to good + ("image" to InputValue.Reals(FloatArray(72))),
                "finite" to good + ("features" to nan),
            )
            for ((word, inputs) in bad) {
                val failed = assertIs<Inference.Failed>(selector.runBlocking(inputs), word)
                assertTrue(word in assertIs<InputException>(failed.error).message!!, word)
            }
            assertIs<InputException>(assertIs<Inference.Failed>(selector.runBlocking(nan)).error)
            assertEquals(0, stub.runs.get())
            val result = selector.runBlocking(good).completed()
            assertEquals(setOf("animal", "box", "mask", "index"), result.outputs.keys)
            assertFailsWith<InputException> { result.output }
        }
    }

    @Test
    fun `no policy learns from inputs that were refused`() = selector(5000).use { selector ->
        selector.variant()
        val before = selector.slowdown
        assertIs<Inference.Failed>(selector.runBlocking(InputValue.Pixels(ByteArray(3))))
        assertEquals(before, selector.slowdown)
        assertEquals("w100", selector.variant())
    }

    @Test
    fun `a closed selector fails, and closes again`() {
        val selector = selector(5000)
        selector.variant()
        selector.close()
        selector.close()
        assertIs<ClosedException>(assertIs<Inference.Failed>(selector.runBlocking(Bundles.image)).error)
        assertIs<ClosedException>(assertIs<Inference.Failed>(runBlocking { selector.run(Bundles.image) }).error)
    }

    @Test
    fun `closing waits for the run under way, and fails those that wait`() {
        val selector = selector(5000)
        selector.variant()
        val started = CountDownLatch(1)
        val released = CountDownLatch(1)
        backend.onRun = {
            started.countDown()
            released.await()
        }
        val results = java.util.concurrent.ConcurrentLinkedQueue<Inference>()
        val callers = List(8) { thread { results += selector.runBlocking(Bundles.image) } }
        assertTrue(started.await(10, TimeUnit.SECONDS))
        val closers = List(2) { thread { selector.close() } }
        closers.forEach { it.join(100) }
        assertTrue(closers.all(Thread::isAlive), "closing must wait for the run")
        released.countDown()
        (callers + closers).forEach { it.join(10_000) }
        assertTrue((callers + closers).none(Thread::isAlive))
        assertEquals(8, results.size)
        assertTrue(results.any { it is Inference.Completed })
        assertTrue(results.filterIsInstance<Inference.Failed>().all { it.error is ClosedException })
        assertTrue(backend.open.isEmpty())
    }

    @Test
    fun `a caller may close from where its result arrives`() {
        val selector = selector(5000)
        runBlocking(Dispatchers.Unconfined) {
            selector.run(Bundles.image).completed()
            selector.close()
        }
        assertTrue(backend.open.isEmpty())
    }

    @Test
    fun `a cancelled call that waits does not run`() = selector(5000).use { selector ->
        selector.variant()
        val started = CountDownLatch(1)
        val released = CountDownLatch(1)
        backend.onRun = {
            started.countDown()
            released.await()
        }
        val first = thread { selector.runBlocking(Bundles.image) }
        started.await()
        runBlocking {
            // Unconfined, it stands in the queue when launch returns.
            val waiting = launch(Dispatchers.Unconfined) { selector.run(Bundles.image) }
            waiting.cancelAndJoin()
        }
        released.countDown()
        first.join()
        selector.variant()
        assertEquals(4, backend.runs.get(), "two at first, then those that were not cancelled")
    }

    @Test
    fun `eight threads take turns`() = selector(5000).use { selector ->
        val done = AtomicInteger()
        val threads = List(8) {
            thread { repeat(500) { if (selector.runBlocking(Bundles.image) is Inference.Completed) done.incrementAndGet() } }
        }
        threads.forEach(Thread::join)
        assertEquals(4000, done.get())
        val suspended = runBlocking(Dispatchers.Default) { List(500) { async { selector.run(Bundles.image) } }.awaitAll() }
        assertTrue(suspended.all { it is Inference.Completed })
        assertEquals(4501, backend.runs.get())
    }

    @Test
    fun `neither runs nor switches make memory grow`() = selector(5000, resident = 1).use { selector ->
        fun usedBytes(): Long {
            repeat(3) { System.gc() }
            return Runtime.getRuntime().run { totalMemory() - freeMemory() }
        }
        repeat(10_000) { selector.runBlocking(Bundles.image).completed() }
        val before = usedBytes()
        var switches = 0
        var last = ""
        for (run in 0 until 100_000) {
            if (run % 100 == 0) selector.budgetUs = if (selector.budgetUs == 5000) 1500 else 5000
            val variant = selector.runBlocking(Bundles.image).completed().variant
            if (variant != last) switches++
            last = variant
        }
        assertEquals(1000, switches)
        assertEquals(1, backend.open.size)
        val grown = usedBytes() - before
        assertTrue(grown < 256 * 1024, "memory grew by $grown bytes")
    }

    @Test
    fun `the policy recovers from a clock that jumps`() = selector(5000).use { selector ->
        repeat(20) { selector.variant() }
        for (jumpUs in listOf(3_600_000_000L, -3_600_000_000L, Long.MAX_VALUE / 2000, -Long.MAX_VALUE / 2000)) {
            val quiet = backend.latencyUs
            backend.latencyUs = { jumpUs }
            val result = selector.runBlocking(Bundles.image).completed()
            assertTrue(result.latencyUs >= 1)
            backend.latencyUs = quiet
            repeat(70) { selector.variant() }
            assertEquals("w100", selector.variant(), "after a jump of $jumpUs us")
            assertEquals(1.0, selector.slowdown, 0.1)
        }
    }

    @Test
    fun `a profile of another bundle, of other threads or kernels is refused`() {
        val wrong = listOf(
            Bundles.table(Bundles.interfaces) to "not of this bundle",
            Bundles.table().copy(bundleSha256 = "0".repeat(64)) to "of another bundle",
            Bundles.table(threads = 4) to "4 threads",
            Bundles.table(kernels = "builtin") to "kernels builtin",
        )
        val stub = StubBackend(kernels = "xnnpack")
        for ((profile, words) in wrong) {
            val error = assertFailsWith<ProfileException> { Selector.open(Bundles.golden, stub, 5000, profile) }
            assertTrue(words in error.message!!, error.message)
        }
        assertEquals(0, stub.opened.get())
    }

    @Test
    fun `without a profile the variants are measured first`() {
        val stub = StubBackend()
        stub.onOpen = { if (it == "w025") throw IllegalStateException("unknown operation") }
        Selector.open(Bundles.golden, stub, 3000).use { selector ->
            assertEquals(setOf("w100", "w050"), selector.latencies.keys)
            val result = selector.runBlocking(Bundles.image).completed()
            assertEquals(mapOf("w025" to "unknown operation"), result.failures)
        }
        assertNull(stub.open.firstOrNull())
    }
}
