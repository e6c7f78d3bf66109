// SPDX-License-Identifier: Apache-2.0
// A file in memory, mapped where it lies (POSIX): what no one reads takes no memory.
//
// Replace such a file by renaming another to its name: who has the old one open keeps it, whole. A file
// that is cut while it is mapped ends the process that reads behind its new end.
#ifndef TFELASTIC_MAPPED_FILE_H_
#define TFELASTIC_MAPPED_FILE_H_

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>

namespace tfelastic {

class MappedFile {
 public:
  MappedFile() = default;
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;

  ~MappedFile() { Close(); }

  // Maps a file in place of the one before. False where that fails: `error` says why.
  bool Open(const char* path, std::string* error) {
    Close();
    const int file = open(path, O_RDONLY | O_CLOEXEC);
    struct stat found;
    if (file < 0 || fstat(file, &found) != 0) return Fail(path, std::strerror(errno), file, error);
    if (!S_ISREG(found.st_mode)) return Fail(path, "it is no file", file, error);
    if (found.st_size == 0) return Fail(path, "it is empty", file, error);
    const auto size = static_cast<std::size_t>(found.st_size);
    void* data = mmap(nullptr, size, PROT_READ, MAP_PRIVATE, file, 0);
    if (data == MAP_FAILED) return Fail(path, std::strerror(errno), file, error);
    close(file);
    data_ = data;
    size_ = size;
    return true;
  }

  const std::uint8_t* data() const { return static_cast<const std::uint8_t*>(data_); }
  std::size_t size() const { return size_; }

 private:
  static bool Fail(const char* path, const char* why, int file, std::string* error) {
    *error = std::string("cannot map ") + path + ": " + why;
    if (file >= 0) close(file);
    return false;
  }

  void Close() {
    if (data_ != nullptr) munmap(data_, size_);
    data_ = nullptr;
    size_ = 0;
  }

  void* data_ = nullptr;
  std::size_t size_ = 0;
};

}  // namespace tfelastic

#endif  // TFELASTIC_MAPPED_FILE_H_
