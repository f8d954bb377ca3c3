// SPDX-License-Identifier: MIT
#include "artefact/initrd/static_program.h"

#include <elf.h>
#include <fcntl.h>
#include <string.h>

#include "base/buf.h"
#include "base/fs.h"

static bool read_program_header(const struct buf *file, const Elf64_Ehdr *header, size_t index, Elf64_Phdr *ret) {
        uint64_t end = (index + 1) * sizeof *ret;
        if (header->e_phoff > file->size || file->size - header->e_phoff < end)
                return false;
        memcpy(ret, file->data + header->e_phoff + index * sizeof *ret, sizeof *ret);
        return true;
}

static bool check_interpreter(const struct buf *file, const char *path, struct err *err) {
        Elf64_Ehdr header;
        if (file->size < sizeof header || memcmp(file->data, ELFMAG, SELFMAG) != 0)
                return fail(err, ERR_TOOL, 0, "%s is no ELF program", path);
        memcpy(&header, file->data, sizeof header);
        for (size_t i = 0; i < header.e_phnum; i++) {
                Elf64_Phdr program;
                if (!read_program_header(file, &header, i, &program))
                        return fail(err, ERR_TOOL, 0, "%s is truncated", path);
                if (program.p_type == PT_INTERP) {
                        fail(err, ERR_TOOL, 0, "%s is not linked statically", path);
                        return hint(err, "the Debian package busybox-static has one that is");
                }
        }
        return true;
}

bool static_program_check(const char *path, struct err *err) {
        auto_buf file = { 0 };
        if (!fs_read(AT_FDCWD, path, &file, err))
                return hint(err, "the Debian package busybox-static has it");
        return check_interpreter(&file, path, err);
}
