package tfelastic

private val schema = Schema(::BundleException)

/**
 * What the variants' scores measure.
 *
 * @property metric The metric's name, such as `accuracy` or `mean_absolute_error`.
 */
data class ScoreSpec(val metric: String = "accuracy", val higherIsBetter: Boolean = true) {
    init {
        schema.text(metric, "score.metric")
    }

    /** Returns the integer that the policy compares; better scores have larger ones. */
    fun order(score: Double): Int {
        // The bits of floats are sign and magnitude: negative ones would rise with the magnitude.
        val bits = score.toFloat().toRawBits()
        val order = if (bits >= 0) bits else -(bits and Int.MAX_VALUE)
        return if (higherIsBetter) order else -order
    }

    internal companion object {
        fun fromJson(data: Any?): ScoreSpec {
            val found = schema.exactly(data, "score", "metric", "higher_is_better")
            val higherIsBetter = found["higher_is_better"] as? Boolean
                ?: schema.fail("score.higher_is_better: expected true or false, received ${jsonOf(found["higher_is_better"])}")
            return ScoreSpec(schema.text(found["metric"], "score.metric"), higherIsBetter)
        }
    }
}
