package tfelastic

import java.nio.ByteBuffer
import java.util.Collections
import java.util.concurrent.atomic.AtomicInteger
import java.util.concurrent.atomic.AtomicLong

/** A clock that only moves when it is told to. */
class StubClock : () -> Long {
    private val nanoseconds = AtomicLong()

    override fun invoke(): Long = nanoseconds.get()

    fun advance(microseconds: Long) {
        nanoseconds.addAndGet(1000 * microseconds)
    }
}

/** Runs nothing: a run takes what `latencyUs` says of the variant by the stub's clock, and fills outputs with a number. */
class StubBackend(
    private val bundle: Bundle = Bundles.golden,
    override val kernels: String? = null,
    val clock: StubClock = StubClock(),
) : Backend {
    override val runtime = "Stub 1"

    @Volatile
    var latencyUs: (String) -> Long = { name -> 4000L shr bundle.variants.indexOfFirst { it.name == name } }

    @Volatile
    var onOpen: (String) -> Unit = {}

    @Volatile
    var onRun: (String) -> Unit = {}

    val opened = AtomicInteger()
    val open: MutableSet<String> = Collections.synchronizedSet(LinkedHashSet())
    val mostOpen = AtomicInteger()
    val running = AtomicInteger()
    val runs = AtomicInteger()

    override fun open(model: VariantModel, threads: Int): OpenModel {
        val name = bundle.variants.first { it.sha256 == model.sha256 }.name
        onOpen(name)
        clock.advance(10_000)
        check(open.add(name)) { "$name is open already" }
        opened.incrementAndGet()
        mostOpen.accumulateAndGet(open.size, ::maxOf)
        return object : OpenModel {
            override val inputs = model.inputs
            override val outputs = model.outputs

            override fun run(inputs: Array<ByteBuffer>, outputs: Array<ByteBuffer>) {
                check(name in open) { "$name runs while it is closed" }
                check(running.incrementAndGet() == 1) { "two models run at once" }
                onRun(name)
                clock.advance(latencyUs(name))
                for (output in outputs) while (output.hasRemaining()) output.put(output.position().toByte())
                runs.incrementAndGet()
                running.decrementAndGet()
            }

            override fun close() {
                check(running.get() == 0) { "$name closes during a run" }
                check(open.remove(name)) { "$name is closed twice" }
            }
        }
    }
}
