// SPDX-License-Identifier: MIT
#include "deal.h"

#include <string.h>

#include "common.h"
#include "mesos.h"

enum { FIRST_TASK_PORT = 31000, TASKS_MAX = 1000 };

// A master that leads since a second knows few slaves: nobody is lost at once.
static bool is_lost(json_t *slaves, const char *host) {
        return now_seconds() - json_real_value(json_object_get(slaves, host)) > LOST_AFTER_S;
}

static size_t count_tasks(json_t *tasks, const char *key, const char *value) {
        size_t count = 0;
        const char *id;
        json_t *task;
        json_object_foreach(tasks, id, task) count += strcmp(json_string_value(json_object_get(task, key)), value) == 0;
        return count;
}

static bool is_port_used(json_t *tasks, const char *host, int port) {
        const char *id;
        json_t *task;
        json_object_foreach(tasks, id, task) if (strcmp(json_string_value(json_object_get(task, "host")), host) == 0 &&
                                                 json_integer_value(json_object_get(task, "port")) == port) return true;
        return false;
}

// The offered host that has the fewest; NULL: there is none.
static const char *least_busy(json_t *tasks, json_t *offered) {
        const char *best = NULL;
        size_t least = 0, i;
        json_t *host;
        json_array_foreach(offered, i, host) {
                size_t count = count_tasks(tasks, "host", json_string_value(host));
                if (best && count >= least)
                        continue;
                best = json_string_value(host);
                least = count;
        }
        return best;
}

static bool deal_task(json_t *tasks, const char *app, json_t *offered) {
        static unsigned dealt;
        const char *host = least_busy(tasks, offered);
        if (!host)
                return false;
        int port = FIRST_TASK_PORT;
        while (is_port_used(tasks, host, port))
                port++;
        auto_free char *id = xasprintf("%s.%.0f-%u", *app == '/' ? app + 1 : app, now_seconds() * 1000, dealt++);
        return json_object_set_new(tasks, id, json_pack("{s:s,s:s,s:i}", "app", app, "host", host, "port", port)) == 0;
}

static json_int_t wanted_tasks(json_t *app) {
        if (!app || json_object_get(json_object_get(app, "env"), "STAND_IN_TASKS"))
                return 0;
        json_int_t instances = json_integer_value(json_object_get(app, "instances"));
        return instances < TASKS_MAX ? instances : TASKS_MAX;
}

json_t *deal_tasks(json_t *apps, json_t *dealt, json_t *slaves, json_t *offered) {
        json_t *tasks = json_object(), *task, *app;
        const char *id;
        json_object_foreach(dealt, id, task) {
                const char *name = json_string_value(json_object_get(task, "app"));
                bool is_wanted =
                    (json_int_t)count_tasks(tasks, "app", name) < wanted_tasks(json_object_get(apps, name));
                if (is_wanted && !is_lost(slaves, json_string_value(json_object_get(task, "host"))))
                        json_object_set(tasks, id, task);
        }
        json_object_foreach(apps, id, app) {
                json_int_t missing = wanted_tasks(app) - (json_int_t)count_tasks(tasks, "app", id);
                while (missing-- > 0 && deal_task(tasks, id, offered))
                        continue;
        }
        return tasks;
}
