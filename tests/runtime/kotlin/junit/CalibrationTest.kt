package tfelastic

import kotlin.test.Test
import kotlin.test.assertEquals
import kotlin.test.assertFailsWith
import kotlin.test.assertNotNull
import kotlin.test.assertNull
import kotlin.test.assertTrue

class CalibrationTest {
    private val backend = StubBackend()
    private val device = mapOf("name" to "a test")

    @Test
    fun `variants take turns, and what a switch costs is timed`() {
        val order = ArrayList<String>()
        val found = calibrate(Bundles.golden, backend, device, rounds = 3, runs = 4, clock = backend.clock) { name, _ -> order += name }
        assertEquals(List(3) { listOf("w100", "w050", "w025") }.flatten(), order)
        assertEquals(Latency(4000, 4000, 12, 4000, firstUs = 4000, switchUs = 10_000), found.latencies["w100"])
        assertEquals(1, backend.mostOpen.get())
        assertTrue(backend.open.isEmpty())
        val profile = assertNotNull(found.profile)
        assertEquals(Bundles.golden.payloadSha256, profile.bundleSha256)
        assertEquals("Stub 1", profile.runtime)
        assertEquals(profile, Profile.parse(profile.toJson().toByteArray()))
    }

    @Test
    fun `it ends when its time is over, with every variant measured`() {
        backend.latencyUs = { 600_000 }
        val found = calibrate(Bundles.golden, backend, device, rounds = 100, limitMs = 1000, clock = backend.clock)
        assertEquals(setOf("w100", "w050", "w025"), found.latencies.keys)
        assertTrue(backend.runs.get() <= 8, "it ran ${backend.runs.get()} times")
    }

    @Test
    fun `a variant that does not run has no latency, and the table is not kept`() {
        backend.onRun = {
            if (it == "w050") {
                backend.running.set(0)
                throw IllegalStateException("unknown operation")
            }
        }
        val found = calibrate(Bundles.golden, backend, device, clock = backend.clock)
        assertEquals(setOf("w100", "w025"), found.latencies.keys)
        assertEquals(mapOf("w050" to "unknown operation"), found.failures)
        assertNull(found.profile)
        assertTrue(backend.open.isEmpty())
    }

    @Test
    fun `where none runs it says why`() {
        backend.onOpen = { throw UnsatisfiedLinkError("no libLiteRt.so") }
        val error = assertFailsWith<BackendException> { calibrate(Bundles.golden, backend, device, clock = backend.clock) }
        assertTrue("no libLiteRt.so" in error.message!!)
    }

    @Test
    fun `percentiles are nearest ranks`() {
        val found = Latency.of((1..100).shuffled())
        assertEquals(listOf(50, 90, 99), listOf(found.p50Us, found.p90Us, found.p99Us))
        assertEquals(Latency(7, 7, 1, 7), Latency.of(listOf(7)))
        assertFailsWith<ProfileException> { Latency.of(emptyList()) }
    }
}
