// SPDX-License-Identifier: MIT
#include "zk.h"

#include <pthread.h>
#include <string.h>
#include <time.h>
#define THREADED // the synchronous calls
#include <zookeeper/zookeeper.h>

#include "common.h"

enum { SESSION_TIMEOUT_MS = 10000, NODE_MAX = 1 << 20 };

struct zk {
        char *hosts;
        zhandle_t *handle;
        pthread_mutex_t lock;
        pthread_cond_t changed;
        bool connected, expired, pending;
        unsigned generation;
};

bool zk_split_url(const char *url, char **ret_hosts, char **ret_path) {
        if (strncmp(url, "zk://", 5) != 0)
                return false;
        const char *slash = strchr(url + 5, '/'), *at = strchr(url + 5, '@');
        const char *hosts = at && (!slash || at < slash) ? at + 1 : url + 5;
        size_t length = slash ? (size_t)(slash - hosts) : strlen(hosts);
        if (length == 0)
                return false;
        *ret_hosts = xstrndup(hosts, length);
        *ret_path = xstrdup(slash ? slash : "/");
        return true;
}

static void watch(zhandle_t *handle, int type, int state, const char *path, void *context) {
        (void)handle;
        (void)path;
        struct zk *zk = context;
        pthread_mutex_lock(&zk->lock);
        if (type == ZOO_SESSION_EVENT) {
                zk->connected = state == ZOO_CONNECTED_STATE;
                zk->expired = state == ZOO_EXPIRED_SESSION_STATE;
        }
        zk->pending = true;
        pthread_cond_broadcast(&zk->changed);
        pthread_mutex_unlock(&zk->lock);
}

static void begin_session(struct zk *zk) {
        zk->expired = false;
        zk->generation++;
        zk->handle = zookeeper_init(zk->hosts, watch, SESSION_TIMEOUT_MS, NULL, zk, 0);
        if (!zk->handle)
                die("Failed to create ZooKeeper handle for '%s'", zk->hosts);
}

struct zk *zk_open(const char *hosts) {
        struct zk *zk = xcalloc(1, sizeof(*zk));
        zk->hosts = xstrdup(hosts);
        pthread_mutex_init(&zk->lock, NULL);
        pthread_cond_init(&zk->changed, NULL);
        zoo_set_debug_level(ZOO_LOG_LEVEL_ERROR);
        begin_session(zk);
        return zk;
}

bool zk_connected(const struct zk *zk) { return zk->connected; }

unsigned zk_generation(const struct zk *zk) { return zk->generation; }

void zk_wake(struct zk *zk) {
        pthread_mutex_lock(&zk->lock);
        zk->pending = true;
        pthread_cond_broadcast(&zk->changed);
        pthread_mutex_unlock(&zk->lock);
}

void zk_wait(struct zk *zk, int timeout_ms) {
        struct timespec until;
        clock_gettime(CLOCK_REALTIME, &until);
        int64_t end_ns = until.tv_nsec + (int64_t)timeout_ms * 1000000;
        until.tv_sec += end_ns / 1000000000;
        until.tv_nsec = end_ns % 1000000000;
        pthread_mutex_lock(&zk->lock);
        while (!zk->pending && pthread_cond_timedwait(&zk->changed, &zk->lock, &until) == 0)
                continue;
        zk->pending = false;
        bool expired = zk->expired;
        pthread_mutex_unlock(&zk->lock);
        if (expired) {
                say("ZooKeeper session expired");
                zookeeper_close(zk->handle);
                begin_session(zk);
        }
}

char *zk_get(struct zk *zk, const char *path) {
        auto_free char *text = xmalloc(NODE_MAX + 1);
        int size = NODE_MAX;
        if (zoo_get(zk->handle, path, 1, text, &size, NULL) != ZOK)
                return NULL;
        return xstrndup(text, size > 0 ? (size_t)size : 0);
}

static bool create_parents(struct zk *zk, const char *path) {
        auto_free char *copy = xstrdup(path);
        for (char *slash = copy + 1; (slash = strchr(slash, '/')); slash++) {
                *slash = '\0';
                int code = zoo_create(zk->handle, copy, "", 0, &ZOO_OPEN_ACL_UNSAFE, 0, NULL, 0);
                if (code != ZOK && code != ZNODEEXISTS)
                        return false;
                *slash = '/';
        }
        return true;
}

bool zk_put(struct zk *zk, const char *path, const char *text) {
        int size = (int)strlen(text);
        int code = zoo_set(zk->handle, path, text, size, -1);
        if (code == ZNONODE && create_parents(zk, path))
                code = zoo_create(zk->handle, path, text, size, &ZOO_OPEN_ACL_UNSAFE, 0, NULL, 0);
        return code == ZOK;
}

bool zk_delete(struct zk *zk, const char *path) { return zoo_delete(zk->handle, path, -1) == ZOK; }

void zk_names_release(struct zk_names *names) {
        for (size_t i = 0; i < names->count; i++)
                free(names->items[i]);
        free(names->items);
        *names = (struct zk_names){ 0 };
}

// Names of one prefix end in the ten digits that ZooKeeper appends, so this is the order of arrival too.
static int compare_names(const void *left, const void *right) {
        return strcmp(*(char *const *)left, *(char *const *)right);
}

bool zk_children(struct zk *zk, const char *path, const char *prefix, struct zk_names *ret) {
        struct String_vector found = { 0 };
        int code = zoo_get_children(zk->handle, path, 1, &found);
        struct zk_names names = { 0 };
        if (code != ZOK && code != ZNONODE)
                return false;
        for (int i = 0; i < found.count; i++)
                if (strncmp(found.data[i], prefix, strlen(prefix)) == 0)
                        *array_append(&names.items, &names.count) = xstrdup(found.data[i]);
        deallocate_String_vector(&found);
        if (names.count > 0)
                qsort(names.items, names.count, sizeof(*names.items), compare_names);
        *ret = names;
        return true;
}

char *zk_join(struct zk *zk, const char *path, const char *prefix, const char *text) {
        auto_free char *node = xasprintf("%s/%s", path, prefix);
        char created[512];
        if (!create_parents(zk, node) || zoo_create(zk->handle, node, text, (int)strlen(text), &ZOO_OPEN_ACL_UNSAFE,
                                                    ZOO_EPHEMERAL | ZOO_SEQUENCE, created, sizeof(created)) != ZOK)
                return NULL;
        return xstrdup(strrchr(created, '/') + 1);
}

char *zk_leader(struct zk *zk, const char *path, const char *prefix) {
        struct zk_names names;
        if (!zk_children(zk, path, prefix, &names))
                return NULL;
        char *text = NULL;
        if (names.count > 0) {
                auto_free char *node = xasprintf("%s/%s", path, names.items[0]);
                text = zk_get(zk, node);
        }
        zk_names_release(&names);
        return text;
}
