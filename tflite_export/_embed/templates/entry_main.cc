int main() {
  if (!Setup()) return 1;
  for (int i = 0; i < 5; ++i) {
    if (!Decide()) return 1;
  }
  return 0;
}
