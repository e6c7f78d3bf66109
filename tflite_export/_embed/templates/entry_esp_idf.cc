extern "C" void app_main(void) {
  if (!Setup()) return;
  // A tick of rest for the other tasks.
  while (Decide()) vTaskDelay(1);
}
