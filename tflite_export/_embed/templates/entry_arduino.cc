bool is_ready = false;

void setup() {
  Serial.begin(115200);
  while (!Serial) {
  }
  is_ready = Setup();
}

void loop() {
  if (is_ready) is_ready = Decide();
}
