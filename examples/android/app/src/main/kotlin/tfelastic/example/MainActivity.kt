package tfelastic.example

import android.app.Activity
import android.content.ActivityNotFoundException
import android.content.Intent
import android.graphics.Bitmap
import android.graphics.BitmapFactory
import android.os.Build
import android.os.Bundle
import android.os.Handler
import android.os.Looper
import android.os.PowerManager
import android.provider.MediaStore
import android.util.Log
import android.view.View
import android.view.WindowManager
import android.widget.Button
import android.widget.ImageView
import android.widget.LinearLayout
import android.widget.SeekBar
import android.widget.TextView
import java.util.concurrent.CancellationException
import java.util.concurrent.Executors
import tfelastic.Inference
import tfelastic.InputValue

/** Classifies a picture ten times a second under the budget of a slider, and shows which variant ran. */
class MainActivity : Activity() {
    private val main = Handler(Looper.getMainLooper())
    private val worker = Executors.newSingleThreadExecutor()
    private lateinit var picture: ImageView
    private lateinit var budget: TextView
    private lateinit var result: TextView
    private lateinit var chart: LatencyChart

    // The session and the pixels are used by the worker alone.
    private var session: Session? = null
    private var pixels: InputValue.Pixels? = null
    private var thermalAt = 0L

    @Volatile
    private var isInForeground = false

    @Volatile
    private var budgetUs = 20_000

    override fun onCreate(savedInstanceState: Bundle?) {
        super.onCreate(savedInstanceState)
        picture = ImageView(this)
        budget = TextView(this)
        result = TextView(this)
        chart = LatencyChart(this)
        val rows = LinearLayout(this).apply { orientation = LinearLayout.VERTICAL }
        rows.addView(button(R.string.camera) { ask(Intent(MediaStore.ACTION_IMAGE_CAPTURE), CAMERA) })
        rows.addView(button(R.string.gallery) { ask(Intent(Intent.ACTION_GET_CONTENT).setType("image/*"), GALLERY) })
        rows.addView(picture, LinearLayout.LayoutParams(LinearLayout.LayoutParams.MATCH_PARENT, 0, 2f))
        rows.addView(budget)
        rows.addView(slider())
        rows.addView(result)
        rows.addView(chart, LinearLayout.LayoutParams(LinearLayout.LayoutParams.MATCH_PARENT, 0, 1f))
        setContentView(rows)
        showBudget()
    }

    override fun onResume() {
        super.onResume()
        isInForeground = true
        worker.execute(::open)
        main.post(tick)
    }

    override fun onPause() {
        isInForeground = false
        main.removeCallbacks(tick)
        super.onPause()
    }

    override fun onDestroy() {
        worker.execute { session?.close() }
        worker.shutdown()
        super.onDestroy()
    }

    override fun onActivityResult(requestCode: Int, resultCode: Int, data: Intent?) {
        if (resultCode != RESULT_OK || data == null) return
        worker.execute {
            val taken = when (requestCode) {
                CAMERA -> thumbnail(data)
                else -> data.data?.let { uri -> contentResolver.openInputStream(uri)?.use { BitmapFactory.decodeStream(it) } }
            }
            if (taken != null) use(taken) else show(getString(R.string.no_picture))
        }
    }

    private val tick: Runnable = object : Runnable {
        override fun run() {
            worker.execute(::classify)
            main.postDelayed(this, TICK_MS)
        }
    }

    /** Measures in the foreground alone: a phone gives background work its slow cores. */
    private fun open() {
        if (session != null) return
        main.post { window.addFlags(WindowManager.LayoutParams.FLAG_KEEP_SCREEN_ON) }
        try {
            session = Session.open(this, budgetUs) { variant, share ->
                if (!isInForeground) throw CancellationException("the app left the foreground")
                show(getString(R.string.measuring, variant, (100 * share).toInt()))
            }
            show(getString(R.string.choose))
        } catch (cause: CancellationException) {
            Log.i(TAG, "measuring starts anew when the app returns", cause)
        } catch (cause: Exception) {
            Log.e(TAG, "the bundle does not open", cause)
            show(cause.message ?: cause.toString())
        } finally {
            main.post { window.clearFlags(WindowManager.LayoutParams.FLAG_KEEP_SCREEN_ON) }
        }
    }

    private fun use(taken: Bitmap) {
        val opened = session ?: return
        pixels = pixelsOf(taken, opened.imageShape)
        main.post { picture.setImageBitmap(taken) }
    }

    private fun classify() {
        val opened = session ?: return
        val image = pixels ?: return
        opened.selector.budgetUs = budgetUs
        when (val found = opened.selector.runBlocking(image)) {
            is Inference.Failed -> show(found.error.message.orEmpty())
            is Inference.Completed -> {
                logThermalHeadroom(found)
                main.post {
                    chart.add(found.variant, found.latencyUs)
                    result.text = describe(found)
                }
            }
        }
    }

    private fun describe(found: Inference.Completed): String {
        val name = found.label ?: getString(R.string.no_label)
        val line = getString(R.string.result, name, found.variant, found.latencyUs / 1000f)
        val failures = found.failures.entries.joinToString("") { (variant, reason) -> "\n$variant: $reason" }
        return line + (if (found.isFeasible) "" else "\n" + getString(R.string.too_slow)) + failures
    }

    /** A hint for whoever reads the log: the selector notices heat by the latencies themselves. */
    private fun logThermalHeadroom(found: Inference.Completed) {
        val now = System.nanoTime()
        // Polled faster than once a second it gives NaN.
        if (Build.VERSION.SDK_INT < Build.VERSION_CODES.R || now - thermalAt < THERMAL_NANOSECONDS) return
        thermalAt = now
        val headroom = getSystemService(PowerManager::class.java).getThermalHeadroom(10)
        Log.i(TAG, "thermal headroom $headroom, slowdown ${session?.selector?.slowdown}, ${found.variant} ${found.latencyUs} us")
    }

    private fun slider() = SeekBar(this).apply {
        max = BUDGET_MAX_MS
        progress = budgetUs / 1000
        setOnSeekBarChangeListener(object : SeekBar.OnSeekBarChangeListener {
            override fun onProgressChanged(bar: SeekBar, progress: Int, fromUser: Boolean) {
                budgetUs = maxOf(progress, 1) * 1000
                showBudget()
            }

            override fun onStartTrackingTouch(bar: SeekBar) = Unit

            override fun onStopTrackingTouch(bar: SeekBar) = Unit
        })
    }

    private fun showBudget() {
        budget.text = getString(R.string.budget, budgetUs / 1000)
        chart.budgetUs = budgetUs
    }

    private fun show(message: String) {
        main.post { result.text = message }
    }

    private fun button(text: Int, onClick: (View) -> Unit) = Button(this).apply {
        setText(text)
        setOnClickListener(onClick)
    }

    private fun ask(intent: Intent, requestCode: Int) = try {
        startActivityForResult(intent, requestCode)
    } catch (cause: ActivityNotFoundException) {
        Log.e(TAG, "no app answers", cause)
        show(getString(R.string.no_picture))
    }

    /** The camera's small picture comes with the answer, and is larger than most networks' input. */
    @Suppress("DEPRECATION") // The typed getter is newer than Android 7.
    private fun thumbnail(data: Intent): Bitmap? = data.extras?.getParcelable<Bitmap>("data")

    private companion object {
        const val TAG = "tfelastic"
        const val CAMERA = 1
        const val GALLERY = 2
        const val TICK_MS = 100L
        const val BUDGET_MAX_MS = 100
        const val THERMAL_NANOSECONDS = 5_000_000_000L
    }
}
