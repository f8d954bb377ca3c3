// SPDX-License-Identifier: MIT
#include "uki/pe_image.h"

#include <assert.h>
#include <endian.h>
#include <openssl/evp.h>
#include <string.h>

#include "base/mem.h"

// Offsets of the format, in bytes.
enum {
        DOS_HEADER_BYTES = 64,
        DOS_NEW_HEADER = 0x3c,
        COFF_BYTES = 24, // with the signature "PE\0\0"
        COFF_MACHINE = 4,
        COFF_SECTIONS = 6,
        COFF_SYMBOLS = 12,
        COFF_SYMBOL_COUNT = 16,
        COFF_OPTIONAL_SIZE = 20,
        OPTIONAL_INITIALISED_BYTES = 8,
        OPTIONAL_SECTION_ALIGNMENT = 32,
        OPTIONAL_FILE_ALIGNMENT = 36,
        OPTIONAL_IMAGE_BYTES = 56,
        OPTIONAL_HEADERS_BYTES = 60,
        OPTIONAL_CHECKSUM = 64,
        OPTIONAL_SUBSYSTEM = 68,
        OPTIONAL_DIRECTORY_COUNT = 108,
        OPTIONAL_DIRECTORIES = 112,
        DIRECTORY_BYTES = 8,
        DIRECTORY_CERTIFICATES = 4, // the index
        SECTION_BYTES = 40,
        SECTION_MEMORY_BYTES = 8,
        SECTION_ADDRESS = 12,
        SECTION_FILE_BYTES = 16,
        SECTION_FILE_OFFSET = 20,
        SECTION_FLAGS = 36,

        MACHINE_X86_64 = 0x8664,
        MAGIC_PE32_PLUS = 0x20b,
        SUBSYSTEM_EFI_APPLICATION = 10,
        FLAGS_DATA = 0x40000040, // initialised data, to be read
        PAGE_BYTES = 4096,
        CERTIFICATE_ALIGN = 8,
};
static const uint64_t image_max_bytes = INT32_MAX;

static uint16_t get16(const uint8_t *at) { return (uint16_t)(at[0] | at[1] << 8); }

static uint32_t get32(const uint8_t *at) {
        uint32_t little;
        memcpy(&little, at, sizeof little);
        return le32toh(little);
}

static void put32(char *at, uint32_t value) {
        uint32_t little = htole32(value);
        memcpy(at, &little, sizeof little);
}

static bool is_alignment(uint32_t number) { return number != 0 && (number & (number - 1)) == 0; }

static uint64_t round_up_to(uint64_t size, uint64_t unit) { return (size + unit - 1) / unit * unit; }

// ---- reading ----

static bool bad_image(struct err *err, const char *what) { return fail(err, ERR_CORRUPT, 0, "%s", what); }

// The optional header, whose size the file says itself.
static bool read_optional_header(struct pe_image *image, const uint8_t *coff, size_t room, struct err *err) {
        const uint8_t *optional = coff + COFF_BYTES;
        uint32_t size = get16(coff + COFF_OPTIONAL_SIZE);
        uint32_t needed = OPTIONAL_DIRECTORIES + (DIRECTORY_CERTIFICATES + 1) * DIRECTORY_BYTES;
        if (size < needed || size > room)
                return bad_image(err, "its headers are too short");
        if (get16(optional) != MAGIC_PE32_PLUS || get16(coff + COFF_MACHINE) != MACHINE_X86_64)
                return bad_image(err, "it is not for x86-64");
        if (get16(optional + OPTIONAL_SUBSYSTEM) != SUBSYSTEM_EFI_APPLICATION)
                return bad_image(err, "it is no EFI application");
        uint32_t directories = get32(optional + OPTIONAL_DIRECTORY_COUNT);
        if (directories <= DIRECTORY_CERTIFICATES || directories > (size - OPTIONAL_DIRECTORIES) / DIRECTORY_BYTES)
                return bad_image(err, "its data directories do not fit");
        image->section_alignment = get32(optional + OPTIONAL_SECTION_ALIGNMENT);
        image->file_alignment = get32(optional + OPTIONAL_FILE_ALIGNMENT);
        if (!is_alignment(image->section_alignment) || !is_alignment(image->file_alignment) ||
            image->file_alignment > 64 << 10 || image->section_alignment > 2 << 20)
                return bad_image(err, "its alignment is none");
        image->headers_bytes = get32(optional + OPTIONAL_HEADERS_BYTES);
        image->checksum_at = (size_t)(optional - image->data) + OPTIONAL_CHECKSUM;
        image->certificates_at =
            (size_t)(optional - image->data) + OPTIONAL_DIRECTORIES + DIRECTORY_CERTIFICATES * DIRECTORY_BYTES;
        image->section_table_at = (size_t)(optional - image->data) + size;
        return true;
}

// One section, behind what is there of the file and of the memory.
static bool read_section(struct pe_image *image, const uint8_t *header, uint64_t *address, struct err *err) {
        struct pe_section *section = &image->sections[image->section_count];
        memcpy(section->name, header, PE_NAME_BYTES);
        section->size_bytes = get32(header + SECTION_MEMORY_BYTES);
        section->address = get32(header + SECTION_ADDRESS);
        section->stored_bytes = get32(header + SECTION_FILE_BYTES);
        section->offset = get32(header + SECTION_FILE_OFFSET);
        if (section->address < *address)
                return bad_image(err, "its sections are not in the order of their addresses");
        *address = (uint64_t)section->address + section->size_bytes;
        if (section->stored_bytes > 0 && section->offset != image->end_bytes)
                return bad_image(err, "its sections do not follow each other in the file");
        if (section->stored_bytes > image->size_bytes - image->end_bytes || *address > image_max_bytes)
                return bad_image(err, "a section ends behind the file's end");
        section->data = image->data + image->end_bytes;
        section->data_bytes = section->stored_bytes;
        if (section->size_bytes < section->data_bytes)
                section->data_bytes = section->size_bytes;
        image->end_bytes += section->stored_bytes;
        image->section_count++;
        return true;
}

static bool read_sections(struct pe_image *image, size_t count, struct err *err) {
        size_t table_bytes = count * SECTION_BYTES;
        if (image->headers_bytes > image->size_bytes || image->section_table_at > image->headers_bytes ||
            table_bytes > image->headers_bytes - image->section_table_at)
                return bad_image(err, "its headers do not fit");
        uint64_t address = image->headers_bytes;
        image->end_bytes = image->headers_bytes;
        for (size_t i = 0; i < count; i++)
                if (!read_section(image, image->data + image->section_table_at + i * SECTION_BYTES, &address, err))
                        return false;
        return true;
}

// Signatures are the last of the file, or it is not what the firmware would have hashed.
static bool read_certificates(struct pe_image *image, struct err *err) {
        uint32_t offset = get32(image->data + image->certificates_at);
        uint32_t size = get32(image->data + image->certificates_at + sizeof offset);
        if (size == 0)
                return true;
        if (offset < image->end_bytes || (uint64_t)offset + size != image->size_bytes)
                return bad_image(err, "its signatures are not at its end");
        if (offset % CERTIFICATE_ALIGN != 0 || size % CERTIFICATE_ALIGN != 0)
                return bad_image(err, "its signatures are not aligned");
        image->certificates = image->data + offset;
        image->certificates_bytes = size;
        return true;
}

bool pe_image_read(const void *data, size_t size, struct pe_image *ret, struct err *err) {
        struct pe_image image = { .data = data, .size_bytes = size };
        if (size < DOS_HEADER_BYTES || size > image_max_bytes || memcmp(data, "MZ", 2) != 0)
                return bad_image(err, "it is no EFI program");
        uint32_t start = get32(image.data + DOS_NEW_HEADER);
        if (start < DOS_HEADER_BYTES || start > size || size - start < COFF_BYTES + OPTIONAL_DIRECTORIES ||
            memcmp(image.data + start, "PE\0", 4) != 0)
                return bad_image(err, "it is no EFI program");
        const uint8_t *coff = image.data + start;
        size_t count = get16(coff + COFF_SECTIONS);
        if (count == 0 || count > PE_SECTIONS_MAX)
                return bad_image(err, "it has no sections, or too many");
        if (!read_optional_header(&image, coff, size - start - COFF_BYTES, err) || !read_sections(&image, count, err) ||
            !read_certificates(&image, err))
                return false;
        *ret = image;
        return true;
}

const struct pe_section *pe_image_find(const struct pe_image *image, const char *name) {
        for (size_t i = 0; i < image->section_count; i++)
                if (strcmp(image->sections[i].name, name) == 0)
                        return &image->sections[i];
        return NULL;
}

// ---- writing ----

// ImageHlp's CheckSumMappedFile(): the sum of all 16-bit words with carry, the field itself taken as zero, plus the
// file's size. Firmware does not look at it; tools do.
static void set_checksum(struct buf *file, size_t from, size_t checksum_at) {
        const uint8_t *data = (const uint8_t *)file->data + from;
        size_t size = file->size - from;
        uint32_t sum = 0;
        put32(file->data + from + checksum_at, 0);
        for (size_t i = 0; i + 1 < size; i += 2) {
                sum += get16(data + i);
                sum = (sum & 0xffff) + (sum >> 16);
        }
        if (size % 2 == 1)
                sum += data[size - 1];
        sum = (sum & 0xffff) + (sum >> 16);
        put32(file->data + from + checksum_at, sum + (uint32_t)size);
}

static bool check_contents(const struct pe_image *image, const struct pe_content *contents, size_t count,
                           struct err *err) {
        size_t room = (image->headers_bytes - image->section_table_at) / SECTION_BYTES - image->section_count;
        uint64_t size = image->end_bytes;
        if (image->end_bytes % CERTIFICATE_ALIGN != 0)
                return bad_image(err, "its sections are not aligned");
        if (count > room || image->section_count + count > PE_SECTIONS_MAX)
                return bad_image(err, "its headers have no room for more sections");
        for (size_t i = 0; i < count; i++) {
                assert(strlen(contents[i].name) <= PE_NAME_BYTES);
                if (pe_image_find(image, contents[i].name))
                        return fail(err, ERR_CORRUPT, 0, "it has a section %s already", contents[i].name);
                size += contents[i].size_bytes + PAGE_BYTES + image->file_alignment;
        }
        return size + image->section_alignment < image_max_bytes ||
               fail(err, ERR_CORRUPT, 0, "all together is larger than 2 GiB");
}

static void put_section_header(char *header, const struct pe_section *section) {
        memset(header, 0, SECTION_BYTES);
        memcpy(header, section->name, strlen(section->name));
        put32(header + SECTION_MEMORY_BYTES, section->size_bytes);
        put32(header + SECTION_ADDRESS, section->address);
        put32(header + SECTION_FILE_BYTES, section->stored_bytes);
        put32(header + SECTION_FILE_OFFSET, section->offset);
        put32(header + SECTION_FLAGS, FLAGS_DATA);
}

static uint64_t end_of_memory(const struct pe_image *image) {
        const struct pe_section *last = &image->sections[image->section_count - 1];
        return (uint64_t)last->address + last->size_bytes;
}

// What the headers say of the file as a whole.
static void update_headers(const struct pe_image *image, char *file, size_t sections, uint64_t memory,
                           uint64_t added_bytes) {
        size_t coff = get32(image->data + DOS_NEW_HEADER), optional = coff + COFF_BYTES;
        uint32_t data_bytes = get32(image->data + optional + OPTIONAL_INITIALISED_BYTES);
        file[coff + COFF_SECTIONS] = (char)sections; // PE_SECTIONS_MAX is below 256
        put32(file + coff + COFF_SYMBOLS, 0);
        put32(file + coff + COFF_SYMBOL_COUNT, 0);
        put32(file + optional + OPTIONAL_INITIALISED_BYTES, data_bytes + (uint32_t)added_bytes);
        put32(file + optional + OPTIONAL_IMAGE_BYTES, (uint32_t)round_up_to(memory, image->section_alignment));
        put32(file + image->certificates_at, 0);
        put32(file + image->certificates_at + 4, 0);
}

bool pe_image_add_sections(const struct pe_image *image, const struct pe_content *contents, size_t count,
                           struct buf *ret, struct err *err) {
        if (!check_contents(image, contents, count, err))
                return false;
        size_t from = ret->size, table = from + image->section_table_at, added = 0;
        uint64_t unit = size_max(image->file_alignment, CERTIFICATE_ALIGN);
        uint64_t memory = end_of_memory(image);
        ret->max = size_max(ret->max, from + (size_t)image_max_bytes);
        buf_append(ret, image->data, image->end_bytes);
        for (size_t i = 0; i < count; i++) {
                size_t stored = round_up_to(contents[i].size_bytes, unit);
                struct pe_section section = {
                        .address = (uint32_t)round_up_to(memory, size_max(image->section_alignment, PAGE_BYTES)),
                        .size_bytes = (uint32_t)contents[i].size_bytes,
                        .offset = (uint32_t)(ret->size - from),
                        .stored_bytes = (uint32_t)stored,
                };
                snprintf(section.name, sizeof section.name, "%s", contents[i].name);
                buf_append(ret, contents[i].data, contents[i].size_bytes);
                buf_append_zeros(ret, stored - contents[i].size_bytes);
                put_section_header(ret->data + table + (image->section_count + i) * SECTION_BYTES, &section);
                memory = (uint64_t)section.address + section.size_bytes;
                added += stored;
        }
        update_headers(image, ret->data + from, image->section_count + count, memory, added);
        set_checksum(ret, from, image->checksum_at);
        return !ret->overflow || fail(err, ERR_CORRUPT, 0, "all together is too large");
}

// ---- signatures ----

static size_t unsigned_bytes(const struct pe_image *image) {
        if (image->certificates)
                return (size_t)(image->certificates - image->data);
        return image->size_bytes;
}

bool pe_image_can_be_signed(const struct pe_image *image) { return unsigned_bytes(image) % CERTIFICATE_ALIGN == 0; }

void pe_image_digest(const struct pe_image *image, uint8_t ret[static PE_SHA256_BYTES]) {
        size_t after_checksum = image->checksum_at + 4, after_place = image->certificates_at + DIRECTORY_BYTES;
        EVP_MD_CTX *context = EVP_MD_CTX_new();
        assert(pe_image_can_be_signed(image));
        bool ok =
            context && EVP_DigestInit_ex(context, EVP_sha256(), NULL) == 1 &&
            EVP_DigestUpdate(context, image->data, image->checksum_at) == 1 &&
            EVP_DigestUpdate(context, image->data + after_checksum, image->certificates_at - after_checksum) == 1 &&
            EVP_DigestUpdate(context, image->data + after_place, unsigned_bytes(image) - after_place) == 1 &&
            EVP_DigestFinal_ex(context, ret, NULL) == 1;
        EVP_MD_CTX_free(context);
        if (!ok)
                abort(); // out of memory: nothing else can fail here
}

void pe_image_certify(const struct pe_image *image, const void *certificates, size_t size, struct buf *ret) {
        size_t from = ret->size, end = unsigned_bytes(image);
        assert(end % CERTIFICATE_ALIGN == 0 && size % CERTIFICATE_ALIGN == 0);
        ret->max = size_max(ret->max, from + (size_t)image_max_bytes);
        buf_append(ret, image->data, end);
        if (size > 0)
                buf_append(ret, certificates, size);
        char *place = ret->data + from + image->certificates_at;
        uint32_t offset = 0;
        if (size > 0)
                offset = (uint32_t)end;
        put32(place, offset);
        put32(place + sizeof offset, (uint32_t)size);
        set_checksum(ret, from, image->checksum_at);
}
