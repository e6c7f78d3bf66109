package android.graphics;

public class Paint {
    public int getColor() {
        return 0;
    }

    public void setColor(int color) {}
}
