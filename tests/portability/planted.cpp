// SPDX-License-Identifier: BSL-1.0

// What must not compile: one fault at a time, so that the check is known to see each.

#if defined(PLANT_CONVERSION)
int planted(long long value) { return value; }
#elif defined(PLANT_SHADOW)
int planted(int value) {
  if (int value = 1; value != 0) return value;
  return value;
}
#elif defined(PLANT_EXCEPTIONS)
void planted() { throw 1; }
#elif defined(PLANT_RTTI)
struct planted {
  virtual ~planted() = default;
};
struct other : planted {};
other* down(planted* p) { return dynamic_cast<other*>(p); }
#endif
