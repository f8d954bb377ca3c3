// SPDX-License-Identifier: MIT
// Berkeley DB 5.3 writes pages with bytes that it never set: the gaps between items, pages that were freed, padding of
// structures from its stack; and a file id from the clock. Here they get fixed values, so that equal tables are equal
// files. Layout: libdb's dbinc/db_page.h (hash version 9, btree version 9), little-endian.
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "base/digest.h"
#include "base/err.h"
#include "base/fs.h"
#include "base/mem.h"
#include "rootfs/bdb.h"

enum {
        META_MAGIC_AT = 12,
        META_PAGE_SIZE_AT = 20,
        META_ID_AT = 52,
        META_ID_BYTES = 20,
        META_BYTES = 512,
        HASH_MAGIC = 0x061561,
        BTREE_MAGIC = 0x053162,
        PAGE_NUMBER_AT = 8,
        PAGE_ENTRIES_AT = 20,
        PAGE_OFFSET_AT = 22, // of the lowest item; on an overflow page the bytes that are used
        PAGE_TYPE_AT = 25,
        PAGE_HEADER_BYTES = 26,
        PAGE_BYTES_MIN = 512,
        PAGE_BYTES_MAX = 65536,
};

enum page_type {
        PAGE_HASH_UNSORTED = 2,
        PAGE_BTREE_INTERNAL = 3,
        PAGE_BTREE_LEAF = 5,
        PAGE_OVERFLOW = 7,
        PAGE_HASH_META = 8,
        PAGE_BTREE_META = 9,
        PAGE_HASH = 13,
        PAGE_FREE = 0,
};

enum { HASH_ITEM_PLAIN = 1, HASH_ITEM_OVERFLOW = 3, BTREE_ITEM_PLAIN = 1, BTREE_ITEM_OVERFLOW = 3 };

struct page {
        unsigned char *bytes;
        size_t size;
        bool used[PAGE_BYTES_MAX];
};

static unsigned read16(const unsigned char *bytes) { return bytes[0] | (unsigned)bytes[1] << 8; }

static uint32_t read32(const unsigned char *bytes) { return read16(bytes) | (uint32_t)read16(bytes + 2) << 16; }

// Notes the bytes that hold something; false for a place outside of the page.
static bool mark_used(struct page *page, size_t offset, size_t length) {
        if (offset < PAGE_HEADER_BYTES || offset >= page->size || length > page->size - offset)
                return false;
        for (size_t i = offset; i < offset + length; i++)
                page->used[i] = true;
        return true;
}

// Items fill a page from its end, without gaps: each one ends where the one before begins. {type, data}; off-page
// items are {type, unused[3], page, length}.
static bool mark_hash_item(struct page *page, size_t offset, size_t end) {
        if (end <= offset || !mark_used(page, offset, end - offset))
                return false;
        if (page->bytes[offset] == HASH_ITEM_PLAIN)
                return true;
        if (page->bytes[offset] != HASH_ITEM_OVERFLOW || end - offset != 12)
                return false;
        memset(page->bytes + offset + 1, 0, 3);
        return true;
}

// {length16, type8, data}; off-page: {unused16, type8, unused8, page32, length32}.
static bool mark_leaf_item(struct page *page, size_t offset) {
        if (!mark_used(page, offset, 3))
                return false;
        unsigned char *item = page->bytes + offset;
        if ((item[2] & 0x7f) == BTREE_ITEM_PLAIN)
                return mark_used(page, offset, 3 + read16(item));
        if ((item[2] & 0x7f) != BTREE_ITEM_OVERFLOW || !mark_used(page, offset, 12))
                return false;
        item[0] = 0;
        item[1] = 0;
        item[3] = 0;
        return true;
}

// {length16, type8, unused8, page32, records32, data}, where the data of an off-page key is such an item as above.
static bool mark_internal_item(struct page *page, size_t offset) {
        if (!mark_used(page, offset, 12))
                return false;
        unsigned char *item = page->bytes + offset;
        size_t length = read16(item);
        item[3] = 0;
        if (!mark_used(page, offset, 12 + length))
                return false;
        if ((item[2] & 0x7f) != BTREE_ITEM_OVERFLOW)
                return true;
        if (length < 12)
                return false;
        item[12] = 0;
        item[13] = 0;
        item[15] = 0;
        return true;
}

static bool mark_item(struct page *page, enum page_type type, size_t offset, size_t end) {
        switch (type) {
        case PAGE_BTREE_LEAF:
                return mark_leaf_item(page, offset);
        case PAGE_BTREE_INTERNAL:
                return mark_internal_item(page, offset);
        default:
                return mark_hash_item(page, offset, end);
        }
}

static bool mark_items(struct page *page, enum page_type type) {
        size_t count = read16(page->bytes + PAGE_ENTRIES_AT), end = page->size;
        if (!mark_used(page, PAGE_HEADER_BYTES, 2 * count))
                return false;
        for (size_t i = 0; i < count; i++) {
                size_t offset = read16(page->bytes + PAGE_HEADER_BYTES + 2 * i);
                if (!mark_item(page, type, offset, end))
                        return false;
                end = offset;
        }
        return true;
}

// A bucket that was never used is a hole in the file, which libdb takes for an empty page when it reads it; rpm's own
// reader of these tables (bdb_ro) does not. Written as libdb would see it.
static void fill_hole(struct page *page, size_t number) {
        for (size_t i = 0; i < PAGE_HEADER_BYTES; i++)
                if (page->bytes[i])
                        return;
        for (size_t i = 0; i < 4; i++)
                page->bytes[PAGE_NUMBER_AT + i] = (unsigned char)(number >> 8 * i);
        page->bytes[PAGE_OFFSET_AT] = (unsigned char)page->size;
        page->bytes[PAGE_OFFSET_AT + 1] = (unsigned char)(page->size >> 8);
        page->bytes[PAGE_TYPE_AT] = PAGE_HASH;
}

// False for a kind of page that rpm's tables do not have: duplicates and record numbers.
static bool mark_page(struct page *page) {
        enum page_type type = page->bytes[PAGE_TYPE_AT];
        memset(page->used, false, page->size);
        memset(page->used, true, PAGE_HEADER_BYTES);
        switch (type) {
        case PAGE_FREE:
                return true;
        case PAGE_HASH_META:
        case PAGE_BTREE_META:
                memset(page->used, true, META_BYTES);
                return true;
        case PAGE_OVERFLOW:
                return mark_used(page, PAGE_HEADER_BYTES, read16(page->bytes + PAGE_OFFSET_AT));
        case PAGE_HASH_UNSORTED:
        case PAGE_HASH:
        case PAGE_BTREE_INTERNAL:
        case PAGE_BTREE_LEAF:
                return mark_items(page, type);
        default:
                return false;
        }
}

static bool settle_page(struct page *page) {
        if (!mark_page(page))
                return false;
        for (size_t i = 0; i < page->size; i++)
                if (!page->used[i])
                        page->bytes[i] = 0;
        return true;
}

// 0 for what is no table.
static size_t page_size_of(const unsigned char *bytes, size_t size) {
        if (size < PAGE_BYTES_MIN)
                return 0;
        uint32_t magic = read32(bytes + META_MAGIC_AT), page_size = read32(bytes + META_PAGE_SIZE_AT);
        bool is_known = magic == HASH_MAGIC || magic == BTREE_MAGIC;
        bool is_in_range = page_size >= PAGE_BYTES_MIN && page_size <= PAGE_BYTES_MAX;
        if (!is_known || !is_in_range || size % page_size != 0)
                return 0;
        return page_size;
}

bool bdb_settle(const char *name, unsigned char *bytes, size_t size, struct err *err) {
        char hex[DIGEST_HEX_SIZE];
        size_t page_size = page_size_of(bytes, size);
        if (page_size < PAGE_BYTES_MIN)
                return fail(err, ERR_TRANSACTION, 0,
                            "rpm's database: %s is no Berkeley DB table of this machine's byte order", name);
        auto_free struct page *page = xmalloc(sizeof *page);
        bool is_hash = read32(bytes + META_MAGIC_AT) == HASH_MAGIC;
        size_t count = size / page_size;
        for (size_t number = 0; number < count; number++) {
                page->bytes = bytes + number * page_size;
                page->size = page_size;
                if (is_hash)
                        fill_hole(page, number);
                if (!settle_page(page))
                        return fail(err, ERR_TRANSACTION, 0, "rpm's database: page %zu of %s is malformed", number,
                                    name);
        }
        // libdb's cache knows a file by its id: each file of an environment needs one of its own.
        digest_bytes("sha256", name, strlen(name), hex);
        memcpy(bytes + META_ID_AT, hex, META_ID_BYTES);
        return true;
}

bool bdb_settle_file(int dir, const char *name, struct err *err) {
        auto_buf bytes = { 0 };
        auto_close int fd = -1;
        if (!fs_open(dir, name, O_RDWR | O_NOFOLLOW, 0, &fd, err))
                return false;
        if (!buf_read_fd(&bytes, fd, err) || !bdb_settle(name, (unsigned char *)bytes.data, bytes.size, err))
                return wrap(err, "%s", name);
        if (lseek(fd, 0, SEEK_SET) < 0)
                return fail(err, ERR_SYSTEM, errno, "rewind %s", name);
        return fs_write_all(fd, bytes.data, bytes.size, err) || wrap(err, "%s", name);
}

bool bdb_is_table(int dir, const char *name) {
        unsigned char head[META_MAGIC_AT + 4];
        auto_close int fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
        if (fd < 0 || pread(fd, head, sizeof head, 0) != sizeof head)
                return false;
        uint32_t magic = read32(head + META_MAGIC_AT);
        return magic == HASH_MAGIC || magic == BTREE_MAGIC;
}
