package android.widget;

import android.content.Context;
import android.view.View;

public class SeekBar extends View {
    public SeekBar(Context context) {
        super(context);
    }

    public interface OnSeekBarChangeListener {
        void onProgressChanged(SeekBar bar, int progress, boolean fromUser);

        void onStartTrackingTouch(SeekBar bar);

        void onStopTrackingTouch(SeekBar bar);
    }

    public void setOnSeekBarChangeListener(OnSeekBarChangeListener listener) {}

    public int getMax() {
        return 0;
    }

    public void setMax(int max) {}

    public int getProgress() {
        return 0;
    }

    public void setProgress(int progress) {}
}
