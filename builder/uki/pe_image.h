// SPDX-License-Identifier: MIT
// Programs of UEFI: PE32+ images (Microsoft's PE format specification; UEFI 2.10, section 2.1.1). Sections are added to
// a stub, and a signature is put behind an image. An image may come from anybody: every number in it is checked.
//
// What is taken is narrower than what firmware takes: x86-64, an EFI application, sections in the order of their
// addresses and without gaps in the file. systemd's stubs and what is written here are so, and there is one reading of
// such a file, the firmware's too.
#ifndef KILN_UKI_PE_IMAGE_H
#define KILN_UKI_PE_IMAGE_H

#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

enum { PE_SHA256_BYTES = 32, PE_NAME_BYTES = 8, PE_SECTIONS_MAX = 64 };

struct pe_section {
        char name[PE_NAME_BYTES + 1];
        uint32_t address, size_bytes;  // in memory
        uint32_t offset, stored_bytes; // in the file
        const uint8_t *data;           // the file's own bytes
        uint32_t data_bytes;           // without padding
};

struct pe_image {
        const uint8_t *data;
        size_t size_bytes;                                     // of the whole file
        size_t checksum_at, certificates_at, section_table_at; // places in the headers
        uint32_t headers_bytes;
        uint32_t section_alignment, file_alignment;
        size_t end_bytes;            // where the last section ends; behind it are symbols and signatures
        const uint8_t *certificates; // NULL: it is not signed
        uint32_t certificates_bytes;
        struct pe_section sections[PE_SECTIONS_MAX];
        size_t section_count;
};

// `ret` points into `data`. CORRUPT with what is wrong.
must_check bool pe_image_read(const void *data, size_t size, struct pe_image *ret, struct err *err);

const struct pe_section *pe_image_find(const struct pe_image *image, const char *name); // NULL: there is none

// A section to add: up to eight characters of name.
struct pe_content {
        const char *name;
        const void *data;
        size_t size_bytes;
};

// Appends `image` with these sections behind its own, at addresses that are multiples of a page; without symbols and
// signatures of the former. The same input gives the same bytes. CORRUPT: no room in the headers, a name that is there
// already, 2 GiB or more.
must_check bool pe_image_add_sections(const struct pe_image *image, const struct pe_content *contents, size_t count,
                                      struct buf *ret, struct err *err);

// Whether the file's size, without signatures, is a multiple of eight, as their place must be.
bool pe_image_can_be_signed(const struct pe_image *image);

// The digest that a signature covers (Windows Authenticode Portable Executable Signature Format): all but the checksum,
// the place of the signatures, and these. Of an image that can be signed.
void pe_image_digest(const struct pe_image *image, uint8_t ret[static PE_SHA256_BYTES]);

// Appends the image with `certificates`, a WIN_CERTIFICATE each, in the place of any that it had; with 0 bytes the
// image without signatures.
void pe_image_certify(const struct pe_image *image, const void *certificates, size_t size, struct buf *ret);

#endif
