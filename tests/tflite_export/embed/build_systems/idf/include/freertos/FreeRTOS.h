// A stub for tests, not ESP-IDF.
#pragma once
