package tfelastic

private val schema = Schema(::ProfileException)

/** Runs between two switches of which the second exceeds the budget. */
private const val SWITCH_RUNS = 64
private const val UNUSED_MAX_US = 1L shl 40

/**
 * What the policy knows of one variant.
 *
 * @property scoreOrder The variant's score as an integer of 32 bits (`ScoreSpec.order`); a better one is larger.
 * @property p50Us Median latency in microseconds, measured on this device; `p90Us` is what nine runs of ten kept.
 * @property switchUs Time to make the variant ready, on top of the run itself: 0 where it is resident, or unknown.
 */
data class Row(val scoreOrder: Int, val p50Us: Int, val p90Us: Int, val switchUs: Int = 0) {
    init {
        schema.require(p50Us >= 1 && p90Us >= p50Us) { "expected 1 <= p50_us <= p90_us, received $p50Us and $p90Us" }
        schema.require(switchUs >= 0) { "switch_us: expected at least 0, received $switchUs" }
    }
}

/** The variant that ran last: its row, its runs since the switch to it, and what they left unused of their budgets. */
data class Current(val index: Int, val runs: Int = 0, val unusedUs: Long = 0)

/**
 * The policy's answer.
 *
 * @property index The row.
 * @property predictedUs The predicted latency in microseconds, with the time of switching.
 * @property isFeasible Whether that keeps the budget; if not, the fastest variant was chosen.
 */
data class Choice(val index: Int, val predictedUs: Long, val isFeasible: Boolean)

/**
 * Returns the best variant that is predicted to keep the budget, else the fastest (`runtime/SPEC.md`, section 4).
 *
 * @throws ProfileException The table is empty.
 * @throws BudgetException The budget is not positive.
 */
fun choose(table: List<Row>, budgetUs: Int, slowdown: Slowdown = Slowdown(), current: Current? = null): Choice {
    schema.require(table.isNotEmpty()) { "the latency table is empty: expected one row per variant" }
    checkBudgetUs(budgetUs)
    val predicted = LongArray(table.size) { slowdown.predictUs(table[it]) }
    val fastest = table.indices.minWithOrNull(
        compareBy<Int> { predicted[it] }.thenByDescending { table[it].scoreOrder }
            .thenBy { table[it].p90Us }.thenBy { table[it].p50Us },
    )!!
    // A variant that is slower and worse than the fastest one is left without conditions.
    val last = current?.takeIf { table[it.index].scoreOrder >= table[fastest].scoreOrder }
    fun cost(index: Int) = predicted[index] + if (index == current?.index) 0 else table[index].switchUs

    fun isAllowed(index: Int): Boolean {
        if (table[index].scoreOrder < table[fastest].scoreOrder) return false
        if (last == null || index == last.index) return predicted[index] <= budgetUs
        val limit = predicted[last.index]
        if (limit > budgetUs || cost(index) <= limit) return cost(index) <= budgetUs
        val paysOff = last.unusedUs >= table[index].switchUs
        return predicted[index] <= budgetUs && paysOff && (cost(index) <= budgetUs || last.runs >= SWITCH_RUNS)
    }

    val best = table.indices.filter(::isAllowed).minWithOrNull(
        compareByDescending<Int> { table[it].scoreOrder }.thenBy(::cost)
            .thenBy { table[it].p90Us }.thenBy { table[it].p50Us },
    ) ?: fastest
    return Choice(best, cost(best), cost(best) <= budgetUs)
}

/**
 * The policy with its state: `choose`, run that variant, `observe`, and again.
 *
 * Not thread-safe; `slowdown` alone may be read by any thread.
 */
class Policy(table: List<Row>) {
    /** One row per variant. */
    var table: List<Row> = table.toList()
        private set

    @Volatile
    var slowdown: Slowdown = Slowdown()
        private set

    private var current: Current? = null
    private var budgetUs = 1

    /**
     * Returns the next choice, which the next `observe` is of.
     *
     * @param now The rows as they are now, where it has changed which variants are resident.
     */
    fun choose(budgetUs: Int, now: List<Row> = table): Choice {
        val choice = choose(now, budgetUs, slowdown, current)
        if (current?.index != choice.index) current = Current(choice.index)
        this.budgetUs = budgetUs
        return choice
    }

    /** Learns what the chosen variant took, in microseconds, without the time of switching. */
    fun observe(observedUs: Long) {
        val last = current ?: throw ProfileException("observe: no variant was chosen yet; call choose first")
        val unusedUs = last.unusedUs + maxOf(budgetUs - maxOf(observedUs, 1), 0)
        current = Current(last.index, minOf(last.runs + 1, SWITCH_RUNS), minOf(unusedUs, UNUSED_MAX_US))
        slowdown = slowdown.observe(table[last.index], observedUs)
    }

    /** Takes a variant out that cannot run: the others move up. What was learned of the device stays. */
    fun remove(index: Int) {
        table = table.filterIndexed { each, _ -> each != index }
        current = current?.takeIf { it.index != index }?.let { if (it.index > index) it.copy(index = it.index - 1) else it }
    }
}

/** Returns a budget of 1 microsecond or more as it is, else throws `BudgetException`. */
internal fun checkBudgetUs(budgetUs: Int): Int {
    if (budgetUs < 1) throw BudgetException("budgetUs must lie in 1 .. $MICROSECONDS_MAX, received $budgetUs")
    return budgetUs
}
