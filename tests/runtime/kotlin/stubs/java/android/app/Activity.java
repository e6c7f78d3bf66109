package android.app;

import android.content.Context;
import android.content.Intent;
import android.os.Bundle;
import android.view.View;
import android.view.Window;

public class Activity extends Context {
    public static final int RESULT_OK = -1;

    protected void onCreate(Bundle savedInstanceState) {}

    protected void onResume() {}

    protected void onPause() {}

    protected void onDestroy() {}

    protected void onActivityResult(int requestCode, int resultCode, Intent data) {}

    public void setContentView(View view) {}

    public void startActivityForResult(Intent intent, int requestCode) {}

    public Window getWindow() {
        return null;
    }
}
