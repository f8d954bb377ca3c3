// SPDX-License-Identifier: MIT
#include "artefact/initrd/modinfo.h"

#include <archive.h>
#include <archive_entry.h>
#include <elf.h>
#include <string.h>

#include "base/mem.h"

enum { MODULE_MAX_BYTES = 256 << 20, READ_BYTES = 1 << 16 };

static bool read_module_file(struct archive *archive, int fd, struct buf *ret_module, struct err *err) {
        struct archive_entry *entry;
        archive_read_support_format_raw(archive);
        archive_read_support_format_empty(archive);
        archive_read_support_filter_xz(archive);
        archive_read_support_filter_gzip(archive);
        archive_read_support_filter_zstd(archive);
        int status = archive_read_open_fd(archive, fd, READ_BYTES);
        if (status == ARCHIVE_OK)
                status = archive_read_next_header(archive, &entry);
        while (status == ARCHIVE_OK) {
                char *room = buf_reserve(ret_module, READ_BYTES);
                if (!room)
                        return fail(err, ERR_CORRUPT, 0, "larger than %d bytes", MODULE_MAX_BYTES);
                la_ssize_t got = archive_read_data(archive, room, READ_BYTES);
                if (got == 0)
                        status = ARCHIVE_EOF;
                else if (got < 0)
                        status = ARCHIVE_FATAL;
                else
                        ret_module->size += (size_t)got;
        }
        return status == ARCHIVE_EOF || fail(err, ERR_CORRUPT, 0, "%s", archive_error_string(archive));
}

bool modinfo_read(int fd, struct buf *ret_module, struct err *err) {
        struct archive *archive = archive_read_new();
        if (!archive)
                abort(); // out of memory
        ret_module->max = MODULE_MAX_BYTES;
        bool ok = read_module_file(archive, fd, ret_module, err);
        archive_read_free(archive);
        return ok;
}

struct section {
        const char *data;
        size_t size;
};

static bool lies_within(const struct buf *module, uint64_t offset, uint64_t size) {
        return offset <= module->size && size <= module->size - offset;
}

// The two ELF classes differ in the width of a few fields; this is the search for one of them.
#define FIND_SECTION(BITS)                                                                                             \
        static bool find_section##BITS(const struct buf *module, struct section *ret) {                                \
                Elf##BITS##_Ehdr header;                                                                               \
                Elf##BITS##_Shdr names, section;                                                                       \
                if (!lies_within(module, 0, sizeof header))                                                            \
                        return false;                                                                                  \
                memcpy(&header, module->data, sizeof header);                                                          \
                if (header.e_shentsize != sizeof section || header.e_shstrndx >= header.e_shnum ||                     \
                    !lies_within(module, header.e_shoff, (uint64_t)header.e_shnum * sizeof section))                   \
                        return false;                                                                                  \
                const char *table = module->data + header.e_shoff;                                                     \
                memcpy(&names, table + header.e_shstrndx * sizeof names, sizeof names);                                \
                if (!lies_within(module, names.sh_offset, names.sh_size))                                              \
                        return false;                                                                                  \
                for (size_t i = 0; i < header.e_shnum; i++) {                                                          \
                        memcpy(&section, table + i * sizeof section, sizeof section);                                  \
                        if (section.sh_name > names.sh_size || names.sh_size - section.sh_name < sizeof ".modinfo" ||  \
                            memcmp(module->data + names.sh_offset + section.sh_name, ".modinfo", sizeof ".modinfo") != \
                                0 ||                                                                                   \
                            !lies_within(module, section.sh_offset, section.sh_size))                                  \
                                continue;                                                                              \
                        *ret = (struct section){ module->data + section.sh_offset, (size_t)section.sh_size };          \
                        return true;                                                                                   \
                }                                                                                                      \
                return false;                                                                                          \
        }
FIND_SECTION(32)
FIND_SECTION(64)

static bool find_modinfo(const struct buf *module, struct section *ret) {
        if (module->size < EI_NIDENT || memcmp(module->data, ELFMAG, SELFMAG) != 0 ||
            module->data[EI_DATA] != ELFDATA2LSB)
                return false;
        if (module->data[EI_CLASS] == ELFCLASS64)
                return find_section64(module, ret);
        return find_section32(module, ret);
}

bool modinfo_each(const struct buf *module, modinfo_string *call, void *context, struct err *err) {
        struct section section;
        if (!find_modinfo(module, &section))
                return fail(err, ERR_CORRUPT, 0, "not a kernel module: no .modinfo section");
        const char *end = section.data + section.size;
        for (const char *next = section.data; next < end;) {
                size_t length = strnlen(next, (size_t)(end - next));
                if (length == (size_t)(end - next))
                        return fail(err, ERR_CORRUPT, 0, ".modinfo does not end with a NUL");
                const char *equals = memchr(next, '=', length);
                if (equals)
                        call(next, (size_t)(equals - next), equals + 1, context);
                next += length + 1;
        }
        return true;
}
