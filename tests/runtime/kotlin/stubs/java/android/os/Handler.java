package android.os;

public class Handler {
    public Handler(Looper looper) {}

    public final boolean post(Runnable task) {
        return true;
    }

    public final boolean postDelayed(Runnable task, long milliseconds) {
        return true;
    }

    public final void removeCallbacks(Runnable task) {}
}
