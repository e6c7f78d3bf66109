int main(void) {
  if (!Setup()) return 1;
  while (Decide()) k_msleep(1);
  return 1;
}
