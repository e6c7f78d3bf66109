package tfelastic.example

import android.content.Context
import android.graphics.Canvas
import android.graphics.Color
import android.graphics.Paint
import android.view.View

/** The latest runs as bars, one colour per variant, with a line at the budget. Used on the main thread alone. */
class LatencyChart(context: Context) : View(context) {
    private val runs = ArrayDeque<Pair<String, Int>>()
    private val paint = Paint()
    private val colors = LinkedHashMap<String, Int>()

    var budgetUs: Int = 1
        set(value) {
            field = value
            invalidate()
        }

    fun add(variant: String, latencyUs: Int) {
        if (runs.size == RUNS) runs.removeFirst()
        runs.addLast(variant to latencyUs)
        colors.getOrPut(variant) { PALETTE[colors.size % PALETTE.size] }
        invalidate()
    }

    override fun onDraw(canvas: Canvas) {
        super.onDraw(canvas)
        val highest = maxOf(budgetUs * 3 / 2, runs.maxOfOrNull { (_, latencyUs) -> latencyUs } ?: 1)
        fun y(latencyUs: Int) = height * (1 - latencyUs.toFloat() / highest)
        val step = width.toFloat() / RUNS
        runs.forEachIndexed { index, (variant, latencyUs) ->
            paint.color = colors.getValue(variant)
            canvas.drawRect(index * step, y(latencyUs), (index + 0.8f) * step, height.toFloat(), paint)
        }
        paint.color = Color.RED
        canvas.drawLine(0f, y(budgetUs), width.toFloat(), y(budgetUs), paint)
    }

    private companion object {
        const val RUNS = 60
        val PALETTE = intArrayOf(0xff1b6ca8.toInt(), 0xff2a9d8f.toInt(), 0xffe9a03b.toInt(), 0xff8e5ea2.toInt())
    }
}
