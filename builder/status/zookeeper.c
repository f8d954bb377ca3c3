// SPDX-License-Identifier: MIT
#include "status/zookeeper.h"

#include <assert.h>
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "status/expression.h"

enum {
        SESSION_MS = 4000, // it goes by itself if we do
        PASSWORD_BYTES = 16,
        CHILDREN_MAX = 20000,
        NAME_BYTES_MAX = 1024,
        STAT_BYTES = 68, // struct Stat, which follows a node's data
};
enum { OPERATION_DATA = 4, OPERATION_CHILDREN = 8, OPERATION_CLOSE = -11 };
enum { NUMBER_CHILDREN = 1, NUMBER_DATA, NUMBER_CLOSE };

// ---- what is sent ----

static void append_number(uint64_t number, size_t size, struct buf *ret) {
        for (size_t i = size; i > 0; i--)
                buf_append_char(ret, (char)(number >> (8 * (i - 1))));
}

static void append_record(const struct buf *record, struct buf *ret) {
        append_number(record->size, 4, ret);
        buf_append(ret, record->data, record->size);
}

void zookeeper_request(struct buf *ret) {
        assert(ret);
        auto_buf record = { 0 };
        append_number(0, 4, &record); // version of the protocol
        append_number(0, 8, &record); // the last change that we know
        append_number(SESSION_MS, 4, &record);
        append_number(0, 8, &record); // a new session
        append_number(PASSWORD_BYTES, 4, &record);
        buf_append_zeros(&record, PASSWORD_BYTES);
        append_number(0, 1, &record); // no member that has lost the others and only lets read
        append_record(&record, ret);
}

static void append_question(int number, int operation, const char *path, struct buf *ret) {
        auto_buf record = { 0 };
        append_number((uint64_t)number, 4, &record);
        append_number((uint64_t)operation, 4, &record);
        if (path) {
                append_number(strlen(path), 4, &record);
                buf_append_text(&record, path);
                append_number(0, 1, &record); // no watch
        }
        append_record(&record, ret);
}

// ---- what comes back ----

// Reads from a record, and sticks at its end.
struct record_reader {
        const unsigned char *at;
        size_t left;
        bool is_short;
};

static uint64_t record_number(struct record_reader *reader, size_t size) {
        uint64_t number = 0;
        if (reader->is_short || reader->left < size) {
                reader->is_short = true;
                return 0;
        }
        for (size_t i = 0; i < size; i++)
                number = number << 8 | reader->at[i];
        reader->at += size;
        reader->left -= size;
        return number;
}

// The bytes behind a length, or NULL. A length of -1 is none.
static const char *record_bytes(struct record_reader *reader, size_t *ret_size) {
        uint64_t size = record_number(reader, 4);
        const char *bytes = (const char *)reader->at;
        *ret_size = 0;
        if (size == UINT32_MAX || reader->is_short)
                return NULL;
        if (reader->left < size) {
                reader->is_short = true;
                return NULL;
        }
        reader->at += size;
        reader->left -= size;
        *ret_size = size;
        return bytes;
}

// The next whole record of an answer, of which `*at` bytes are read.
static bool next_record(const struct buf *answer, size_t *at, struct record_reader *ret) {
        struct record_reader all = { (const unsigned char *)answer->data + *at, answer->size - *at, false };
        size_t size = 0;
        if (answer->size == *at)
                return false;
        const char *bytes = record_bytes(&all, &size);
        if (!bytes)
                return false;
        *ret = (struct record_reader){ (const unsigned char *)bytes, size, false };
        *at += 4 + size;
        return true;
}

// What a member answered so far.
struct told {
        bool has_session, is_refused; // it gives no session: "0" is none
        struct record_reader children, data;
        bool has_children, has_data, is_closed;
        bool is_wrong; // a record that nothing was asked for
        int32_t error; // of the first question that is not answered with 0
        uint64_t change;
        size_t at; // so many bytes are whole records
};

// Each question is asked once, and the children's not without a `child`.
static bool *place_of_reply(uint64_t number, bool has_child, struct told *told) {
        if (number == NUMBER_CHILDREN && has_child && !told->has_children)
                return &told->has_children;
        if (number == NUMBER_DATA && !told->has_data)
                return &told->has_data;
        if (number == NUMBER_CLOSE && !told->is_closed)
                return &told->is_closed;
        return NULL;
}

static void take_record(struct record_reader record, bool has_child, struct told *told) {
        uint64_t number = record_number(&record, 4);
        uint64_t change = record_number(&record, 8);
        int32_t error = (int32_t)record_number(&record, 4);
        bool *place = place_of_reply(number, has_child, told);
        if (record.is_short || !place) {
                told->is_wrong = true;
                return;
        }
        *place = true;
        told->change = change;
        if (error != 0 && told->error == 0)
                told->error = error;
        if (number == NUMBER_CHILDREN)
                told->children = record;
        else if (number == NUMBER_DATA)
                told->data = record;
}

static void read_session(const struct buf *answer, bool has_child, struct told *told) {
        struct record_reader record;
        if (!next_record(answer, &told->at, &record))
                return;
        (void)record_number(&record, 4); // version
        (void)record_number(&record, 4); // how long the session lasts
        uint64_t session = record_number(&record, 8);
        told->has_session = !record.is_short && session != 0;
        told->is_refused = !told->has_session;
        while (!told->is_wrong && next_record(answer, &told->at, &record))
                take_record(record, has_child, told);
}

// ---- the children ----

// ZooKeeper's sequential nodes end with ten digits; who has the lowest number leads.
static const char *digits_of(const char *name) {
        const char *at = name + strlen(name);
        while (at > name && isdigit((unsigned char)at[-1]))
                at--;
        return at;
}

static int order_children(const void *left, const void *right) {
        const char *one = *(const char *const *)left, *other = *(const char *const *)right;
        int order = strcmp(digits_of(one), digits_of(other));
        if (order == 0)
                order = strcmp(one, other);
        return order;
}

static bool is_plain_name(const char *bytes, size_t size) {
        return bytes && size > 0 && size <= NAME_BYTES_MAX && !memchr(bytes, '/', size) && !memchr(bytes, '\0', size);
}

// Texts and array are the heap's.
struct child_names {
        char **items;
        size_t count;
};

static void child_names_release(struct child_names *names) {
        for (size_t i = 0; i < names->count; i++)
                free(names->items[i]);
        free(names->items);
}
#define auto_names __attribute__((cleanup(child_names_release))) struct child_names

// Those that match, in order.
static void matching_children(const struct told *told, const char *expression, struct child_names *ret) {
        struct record_reader reader = told->children;
        struct expression compiled;
        uint64_t count = record_number(&reader, 4);
        if (!expression_compile(expression, &compiled))
                return;
        for (uint64_t i = 0; i < count && i < CHILDREN_MAX && !reader.is_short; i++) {
                size_t size;
                const char *bytes = record_bytes(&reader, &size);
                if (!is_plain_name(bytes, size))
                        continue;
                auto_free char *name = xstrndup(bytes, size);
                if (expression_search(&compiled, name, INT64_MAX) == EXPRESSION_FOUND)
                        *array_append(&ret->items, &ret->count) = take_ptr(name);
        }
        expression_release(&compiled);
        if (ret->count > 0)
                qsort(ret->items, ret->count, sizeof *ret->items, order_children);
}

// ---- the conversation ----

static const char *path_of(const struct health_check *check) { return text_or(check->path, "/"); }

static void ask_data(const char *path, struct buf *ret) {
        append_question(NUMBER_DATA, OPERATION_DATA, path, ret);
        append_question(NUMBER_CLOSE, OPERATION_CLOSE, NULL, ret);
}

static void ask_first_child(const struct health_check *check, const struct told *told, struct buf *ret) {
        auto_names names = { 0 };
        matching_children(told, check->child, &names);
        if (names.count == 0) {
                append_question(NUMBER_CLOSE, OPERATION_CLOSE, NULL, ret);
                return;
        }
        const char *parent = path_of(check);
        if (strcmp(parent, "/") == 0)
                parent = "";
        auto_free char *path = xasprintf("%s/%s", parent, names.items[0]);
        ask_data(path, ret);
}

bool zookeeper_next(const void *subject, const struct buf *answer, struct buf *ret) {
        const struct health_check *check = subject;
        struct told told = { 0 };
        assert(check && answer && ret);
        read_session(answer, check->child != NULL, &told);
        if (told.is_closed || told.is_refused || told.is_wrong)
                return true;
        bool is_amid_record = told.at != answer->size;
        if (is_amid_record || told.has_data)
                return false;
        if (told.has_children)
                ask_first_child(check, &told, ret);
        else if (check->child)
                append_question(NUMBER_CHILDREN, OPERATION_CHILDREN, path_of(check), ret);
        else
                ask_data(path_of(check), ret);
        return false;
}

// ---- what is read from it ----

static const char *error_text(int32_t error) {
        static const struct {
                int32_t error;
                const char *text;
        } texts[] = { { -4, "the connection was lost" },
                      { -8, "that is no path" },
                      { -101, "it is not there" },
                      { -102, "only those who log in may read it" },
                      { -112, "the session is over" } };
        for (size_t i = 0; i < lengthof(texts); i++)
                if (texts[i].error == error)
                        return texts[i].text;
        return "an error that is new to kiln";
}

static bool read_children(const struct health_check *check, const struct told *told, struct zookeeper_reply *ret,
                          struct buf *ret_why) {
        auto_names names = { 0 };
        matching_children(told, check->child, &names);
        ret->children = json_array();
        for (size_t i = 0; i < names.count; i++)
                json_array_append_new(ret->children, json_string(names.items[i]));
        if (names.count == 0) {
                buf_printf(ret_why, "%s has no child that matches %s", path_of(check), check->child);
                return false;
        }
        ret->name = xstrdup(names.items[0]);
        return true;
}

static bool read_node_data(struct record_reader record, struct zookeeper_reply *ret) {
        size_t size;
        const char *bytes = record_bytes(&record, &size);
        if (bytes)
                buf_append(&ret->data, bytes, size);
        return !record.is_short && record.left >= STAT_BYTES;
}

bool zookeeper_read(const struct health_check *check, const struct buf *answer, struct zookeeper_reply *ret,
                    struct buf *ret_why) {
        struct told told = { 0 };
        assert(check && answer && ret && ret_why);
        read_session(answer, check->child != NULL, &told);
        ret->has_epoch = told.has_children || told.has_data;
        ret->epoch = (uint32_t)(told.change >> 32);
        if (told.is_wrong)
                buf_printf(ret_why, "port %d answers what nobody asked", check->port);
        else if (told.has_session && told.error != 0)
                buf_printf(ret_why, "%s: %s (%d)", path_of(check), error_text(told.error), (int)told.error);
        else if (told.is_refused)
                buf_printf(ret_why, "port %d gives no session of ZooKeeper", check->port);
        else if (!told.has_session)
                buf_printf(ret_why, "port %d closes the connection and gives no session: the member has no quorum",
                           check->port);
        else if (check->child && told.has_children && !read_children(check, &told, ret, ret_why))
                return false;
        else if (!told.has_data || !read_node_data(told.data, ret))
                buf_printf(ret_why, "the answer to %s breaks off", path_of(check));
        return ret_why->size == 0;
}

void zookeeper_release(struct zookeeper_reply *reply) {
        free(reply->name);
        json_decref(reply->children);
        buf_release(&reply->data);
        *reply = (struct zookeeper_reply){ 0 };
}
