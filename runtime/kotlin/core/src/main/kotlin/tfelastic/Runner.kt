package tfelastic

import java.nio.ByteBuffer
import java.nio.ByteOrder

/** One variant of a bundle, open in a backend. Not thread-safe. */
internal class Runner private constructor(
    bundle: Bundle,
    private val variant: VariantInfo,
    private val model: OpenModel,
) : AutoCloseable {
    private val manifest = bundle.manifest
    private val encoders = manifest.inputs.zip(variant.inputs) { spec, tensor -> Encoder(spec, tensor) }
    private val inputs = buffers(manifest.inputs.map(InputSpec::elements), variant.inputs)
    private val outputs = buffers(manifest.outputs.map(OutputSpec::elements), variant.outputs)

    /**
     * Runs the variant.
     *
     * @param values One value for each input's name.
     * @return Real numbers by the outputs' names, without the first axis, each array the caller's own.
     * @throws InputException A value is missing, unknown, of another kind or size, or not finite; nothing ran.
     */
    fun run(values: Map<String, InputValue>): Map<String, FloatArray> {
        checkNames(values)
        for ((index, spec) in manifest.inputs.withIndex()) {
            encoders[index].encode(values.getValue(spec.name), inputs[variant.inputs[index].position])
        }
        outputs.forEach(ByteBuffer::clear)
        model.run(inputs, outputs)
        return manifest.outputs.withIndex().associate { (index, spec) ->
            val tensor = variant.outputs[index]
            val stored = outputs[tensor.position]
            stored.clear()
            spec.name to decode(stored, tensor)
        }
    }

    override fun close() = model.close()

    private fun checkNames(values: Map<String, InputValue>) {
        val names = manifest.inputs.map(InputSpec::name)
        if (values.keys != names.toSet()) {
            throw InputException("expected values for the inputs ${listed(names)}, received ${listed(values.keys).ifEmpty { "none" }}")
        }
    }

    private fun checkTensors(expected: VariantModel) {
        checkSide("input", expected.inputs, model.inputs)
        checkSide("output", expected.outputs, model.outputs)
    }

    private fun checkSide(side: String, expected: List<TensorDetails>, found: List<TensorDetails>) {
        if (found.size != expected.size) {
            throw BundleException(
                "variant \"${variant.name}\": expected ${expected.size} ${side}s as the manifest says, the .tflite has ${found.size}",
            )
        }
        for (position in expected.indices) {
            val stated = expected[position]
            val details = found[position]
            // What a runtime does not say cannot contradict the manifest.
            val known = TensorDetails(
                details.shape ?: stated.shape,
                details.dtype ?: stated.dtype,
                details.scale ?: stated.scale,
                details.zeroPoint ?: stated.zeroPoint,
            )
            if (known != stated) {
                throw BundleException(
                    "variant \"${variant.name}\": $side $position: expected $stated as the manifest says, the .tflite has $details",
                )
            }
        }
    }

    companion object {
        /**
         * Opens a variant.
         *
         * @throws BundleException The variant is damaged, or not what the manifest says.
         */
        fun open(bundle: Bundle, name: String, backend: Backend, threads: Int): Runner {
            val variant = bundle.variant(name)
            val stated = VariantModel(
                bundle.model(name),
                variant.sha256,
                details(bundle.manifest.inputs.map(InputSpec::shape), variant.inputs),
                details(bundle.manifest.outputs.map(OutputSpec::shape), variant.outputs),
            )
            val model = backend.open(stated, threads)
            return try {
                Runner(bundle, variant, model).also { it.checkTensors(stated) }
            } catch (cause: Throwable) {
                model.close()
                throw cause
            }
        }

        /** Returns what the manifest says of a variant's tensors, in the .tflite's own order. */
        private fun details(shapes: List<List<Int>>, tensors: List<TensorSpec>): List<TensorDetails> =
            shapes.zip(tensors).sortedBy { (_, tensor) -> tensor.position }.map { (shape, tensor) ->
                TensorDetails(shape, tensor.dtype, tensor.scale.toFloat(), tensor.zeroPoint)
            }

        private fun buffers(elements: List<Int>, tensors: List<TensorSpec>): Array<ByteBuffer> {
            val byPosition = elements.zip(tensors).sortedBy { (_, tensor) -> tensor.position }
            return Array(tensors.size) { position ->
                val (count, tensor) = byPosition[position]
                ByteBuffer.allocateDirect(Math.multiplyExact(count, tensor.dtype.bytes)).order(ByteOrder.nativeOrder())
            }
        }
    }
}

/** The open variants of one bundle: at most `resident`, the least recently used closed first. Not thread-safe. */
internal class RunnerPool(
    private val bundle: Bundle,
    private val backend: Backend,
    private val threads: Int,
    private val resident: Int,
) : AutoCloseable {
    // In the order of access, the least recently used first.
    private val opened = LinkedHashMap<String, Runner>(16, 0.75f, true)

    fun isOpen(name: String): Boolean = opened.containsKey(name)

    /** Returns the named variant, opened, and warm: it has run once on `values`. */
    fun get(name: String, values: Map<String, InputValue>): Runner {
        opened[name]?.let { return it }
        // Room is made first: both variants in memory at once is what `resident` rules out.
        while (opened.size >= resident) close(opened.keys.first())
        val runner = Runner.open(bundle, name, backend, threads)
        try {
            runner.run(values)
        } catch (cause: Throwable) {
            runner.close()
            throw cause
        }
        opened[name] = runner
        return runner
    }

    fun close(name: String) {
        opened.remove(name)?.close()
    }

    override fun close() {
        while (opened.isNotEmpty()) close(opened.keys.first())
    }
}
