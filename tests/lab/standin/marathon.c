// SPDX-License-Identifier: MIT
// Stand-in for Marathon 0.11.0: its options, leader election and applications in ZooKeeper, registration as a framework
// with the leading Mesos master, /v2/{info,leader,apps,tasks,deployments,events}. It starts no processes: a task is a
// line in /v2/tasks, at the hosts and ports of the application's environment variable STAND_IN_TASKS
// ("host:port,host:port"), or else dealt by the leader to the slaves that the master offers, from port 31000 on. There
// it stays until its slave is gone or /v2/tasks/delete kills it.
#include <pthread.h>
#include <string.h>

#include "common.h"
#include "deal.h"
#include "http.h"
#include "mesos.h"
#include "zk.h"

static struct flag flags[] = {
        { "access_control_allow_origin", FLAG_TEXT },
        { "artifact_store", FLAG_TEXT },
        { "assets_path", FLAG_TEXT },
        { "checkpoint", FLAG_BOOL, "true" },
        { "decline_offer_duration", FLAG_NUMBER },
        { "default_accepted_resource_roles", FLAG_TEXT },
        { "env_vars_prefix", FLAG_TEXT },
        { "event_stream_max_outstanding_messages", FLAG_NUMBER, "50" },
        { "event_subscriber", FLAG_TEXT },
        { "executor", FLAG_TEXT, "//cmd" },
        { "failover_timeout", FLAG_NUMBER, "604800" },
        { "framework_name", FLAG_TEXT, "marathon" },
        { "ha", FLAG_BOOL, "true" },
        { "hostname", FLAG_TEXT },
        { "http", FLAG_BOOL, "true" },
        { "http_address", FLAG_TEXT },
        { "http_compression", FLAG_BOOL, "true" },
        { "http_credentials", FLAG_TEXT },
        { "http_endpoints", FLAG_TEXT },
        { "http_max_concurrent_requests", FLAG_NUMBER },
        { "http_port", FLAG_NUMBER, "8080" },
        { "http_realm", FLAG_TEXT, "Mesosphere" },
        { "https_address", FLAG_TEXT },
        { "https_port", FLAG_NUMBER, "8443" },
        { "launch_token_refresh_interval", FLAG_NUMBER, "30000" },
        { "launch_tokens", FLAG_NUMBER, "100" },
        { "leader_proxy_connection_timeout", FLAG_NUMBER, "5000" },
        { "leader_proxy_read_timeout", FLAG_NUMBER, "10000" },
        { "local_port_max", FLAG_NUMBER, "20000" },
        { "local_port_min", FLAG_NUMBER, "10000" },
        { "logging_level", FLAG_TEXT },
        { "marathon_store_timeout", FLAG_NUMBER, "2000" },
        { "master", FLAG_TEXT },
        { "max_apps", FLAG_NUMBER },
        { "max_tasks_per_offer", FLAG_NUMBER, "1" },
        { "mesos_authentication_principal", FLAG_TEXT },
        { "mesos_authentication_secret_file", FLAG_TEXT },
        { "mesos_leader_ui_url", FLAG_TEXT },
        { "mesos_role", FLAG_TEXT },
        { "mesos_user", FLAG_TEXT },
        { "metrics", FLAG_BOOL, "true" },
        { "min_revive_offers_interval", FLAG_NUMBER, "5000" },
        { "offer_matching_timeout", FLAG_NUMBER, "1000" },
        { "on_elected_prepare_timeout", FLAG_NUMBER, "180000" },
        { "plugin_conf", FLAG_TEXT },
        { "plugin_dir", FLAG_TEXT },
        { "reconciliation_initial_delay", FLAG_NUMBER, "15000" },
        { "reconciliation_interval", FLAG_NUMBER, "300000" },
        { "reporter_datadog", FLAG_TEXT },
        { "reporter_graphite", FLAG_TEXT },
        { "revive_offers_for_new_apps", FLAG_BOOL, "true" },
        { "scale_apps_initial_delay", FLAG_NUMBER, "15000" },
        { "scale_apps_interval", FLAG_NUMBER, "300000" },
        { "ssl_keystore_password", FLAG_TEXT },
        { "ssl_keystore_path", FLAG_TEXT },
        { "store_cache", FLAG_BOOL, "true" },
        { "task_launch_confirm_timeout", FLAG_NUMBER, "300000" },
        { "task_launch_timeout", FLAG_NUMBER, "300000" },
        { "tracing", FLAG_BOOL, "false" },
        { "webui_url", FLAG_TEXT },
        { "zk", FLAG_TEXT, "zk://localhost:2181/marathon" },
        { "zk_compression", FLAG_BOOL, "true" },
        { "zk_compression_threshold", FLAG_NUMBER, "65536" },
        { "zk_max_versions", FLAG_NUMBER, "25" },
        { "zk_session_timeout", FLAG_NUMBER, "1800000" },
        { "zk_timeout", FLAG_NUMBER, "10000" },
};

// Written under `lock`, which is not held while others are asked. `apps` is what ZooKeeper holds: every member, leading
// or not, shows the same.
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct zk *zk;
static struct {
        char *hostname, *address, *path, *framework_id;
        char *leader;    // "host:port", "" if none
        json_t *apps;    // id -> app
        json_t *tasks;   // id -> {app, host, port} of those that were dealt
        json_t *slaves;  // host -> when the master last had it among its active slaves
        json_t *offered; // those of them that new tasks may go to
        bool knows_slaves;
} marathon;

static const char *flag(const char *name) { return flag_value(flags, lengthof(flags), name); }

// ---- pages ----

// The named flags that have a value, typed.
static json_t *pick_flags(const char *const *names, size_t count) {
        json_t *object = json_object();
        for (size_t i = 0; i < count; i++) {
                const char *value = flag(names[i]);
                char *end = NULL;
                double number = value ? strtod(value, &end) : 0;
                json_t *typed = !value                        ? json_null()
                                : strcmp(value, "true") == 0  ? json_true()
                                : strcmp(value, "false") == 0 ? json_false()
                                : *value && !*end             ? json_integer((json_int_t)number)
                                                              : json_string(value);
                json_object_set_new(object, names[i], typed);
        }
        return object;
}

static json_t *info(void) {
        static const char *const config[] = { "master",
                                              "failover_timeout",
                                              "framework_name",
                                              "ha",
                                              "checkpoint",
                                              "local_port_min",
                                              "local_port_max",
                                              "executor",
                                              "hostname",
                                              "webui_url",
                                              "mesos_role",
                                              "mesos_user",
                                              "mesos_leader_ui_url",
                                              "task_launch_timeout",
                                              "reconciliation_initial_delay",
                                              "reconciliation_interval",
                                              "leader_proxy_connection_timeout" };
        static const char *const zookeeper[] = { "zk", "zk_timeout", "zk_session_timeout", "zk_max_versions" };
        static const char *const http[] = { "http_port", "https_port", "assets_path" };
        static const char *const subscriber[] = { "http_endpoints" };
        json_t *object =
            json_pack("{s:s,s:s,s:b,s:s,s:o,s:o,s:o,s:o}", "name", flag("framework_name"), "version", "0.11.0",
                      "stand_in", 1, "frameworkId", marathon.framework_id ? marathon.framework_id : "", "leader",
                      *marathon.leader ? json_string(marathon.leader) : json_null(), "marathon_config",
                      pick_flags(config, lengthof(config)), "zookeeper_config",
                      pick_flags(zookeeper, lengthof(zookeeper)), "http_config", pick_flags(http, lengthof(http)));
        json_t *events = pick_flags(subscriber, lengthof(subscriber));
        json_object_set_new(events, "type",
                            flag("event_subscriber") ? json_string(flag("event_subscriber")) : json_null());
        json_object_set_new(object, "event_subscriber", events);
        json_object_set_new(json_object_get(object, "marathon_config"), "hostname", json_string(marathon.hostname));
        return object;
}

static json_t *make_task(const char *app, const char *id, const char *host, int port) {
        return json_pack("{s:s,s:s,s:s,s:[i],s:s,s:s}", "appId", app, "id", id, "host", host, "ports", port, "stagedAt",
                         "2015-01-01T00:00:00.000Z", "startedAt", "2015-01-01T00:00:00.000Z");
}

static void append_given_tasks(json_t *tasks, const char *id, const char *given) {
        auto_free char *copy = xstrdup(given);
        char *rest = NULL;
        size_t index = 0;
        for (char *place = strtok_r(copy, ",", &rest); place; place = strtok_r(NULL, ",", &rest)) {
                char *colon = strchr(place, ':');
                if (!colon)
                        continue;
                *colon = '\0';
                auto_free char *task_id = xasprintf("%s.%zu", *id == '/' ? id + 1 : id, index++);
                json_array_append_new(tasks, make_task(id, task_id, place, atoi(colon + 1)));
        }
}

static json_t *list_tasks(void) {
        json_t *tasks = json_array(), *app, *dealt;
        const char *id;
        json_object_foreach(marathon.apps, id, app) {
                const char *given = json_string_value(json_object_get(json_object_get(app, "env"), "STAND_IN_TASKS"));
                if (given)
                        append_given_tasks(tasks, id, given);
        }
        json_object_foreach(marathon.tasks, id, dealt)
            json_array_append_new(tasks, make_task(json_string_value(json_object_get(dealt, "app")), id,
                                                   json_string_value(json_object_get(dealt, "host")),
                                                   (int)json_integer_value(json_object_get(dealt, "port"))));
        return json_pack("{s:o}", "tasks", tasks);
}

static json_t *list_apps(void) {
        json_t *apps = json_array(), *app;
        const char *id;
        json_object_foreach(marathon.apps, id, app) json_array_append(apps, app);
        return json_pack("{s:o}", "apps", apps);
}

// ---- applications in ZooKeeper ----

// "/group/web" is kept as the node "app:group_web".
static char *app_node(const char *id) {
        char *node = xasprintf("%s/state/app:%s", marathon.path, *id == '/' ? id + 1 : id);
        for (char *c = node + strlen(marathon.path) + 7; *c; c++)
                if (*c == '/')
                        *c = '_';
        return node;
}

static void fill_app(json_t *app, const char *id) {
        auto_free char *absolute = xasprintf("%s%s", *id == '/' ? "" : "/", id);
        json_object_set_new(app, "id", json_string(absolute));
        json_t *defaults = json_pack("{s:i,s:f,s:f,s:{},s:[],s:[i],s:{}}", "instances", 1, "cpus", 0.1, "mem", 16.0,
                                     "env", "healthChecks", "ports", atoi(flag("local_port_min")), "labels");
        json_object_update_missing(app, defaults);
        json_decref(defaults);
}

static void create_app(const struct request *request, struct reply *reply) {
        json_error_t error;
        json_t *app = json_loads(request->body, 0, &error);
        auto_free char *id = xstrdup(json_string_value(json_object_get(app, "id")) ?: "");
        if (!*id || strcmp(id, "/") == 0) {
                json_decref(app);
                return reply_json(reply, 400, json_pack("{s:s}", "message", "an app needs an id"));
        }
        fill_app(app, id);
        auto_free char *text = json_dumps(app, JSON_COMPACT), *node = app_node(id);
        if (zk_put(zk, node, text))
                return reply_json(reply, 201, app);
        json_decref(app);
        reply_json(reply, 500, json_pack("{s:s}", "message", "ZooKeeper does not answer"));
}

static void handle_app(const struct request *request, struct reply *reply, const char *id) {
        json_t *app = json_object_get(marathon.apps, id);
        auto_free char *node = app_node(id);
        if (!app)
                reply_json(reply, 404, json_pack("{s:s}", "message", "App does not exist"));
        else if (strcmp(request->method, "GET") == 0)
                reply_json(reply, 200, json_pack("{s:O}", "app", app));
        else if (strcmp(request->method, "DELETE") == 0 && zk_delete(zk, node))
                reply_json(reply, 200, json_pack("{s:s}", "deploymentId", "stand-in"));
        else
                reply_text(reply, 405, "");
}

// Reads what ZooKeeper holds; true if that changed.
static bool load_apps(void) {
        auto_free char *state = xasprintf("%s/state", marathon.path);
        struct zk_names names;
        if (!zk_children(zk, state, "app:", &names))
                return false;
        json_t *apps = json_object();
        for (size_t i = 0; i < names.count; i++) {
                auto_free char *node = xasprintf("%s/%s", state, names.items[i]), *text = zk_get(zk, node);
                json_t *app = text ? json_loads(text, 0, NULL) : NULL;
                const char *id = json_string_value(json_object_get(app, "id"));
                if (id)
                        json_object_set(apps, id, app);
                json_decref(app);
        }
        zk_names_release(&names);
        pthread_mutex_lock(&lock);
        bool changed = !json_equal(apps, marathon.apps);
        json_decref(marathon.apps);
        marathon.apps = apps;
        pthread_mutex_unlock(&lock);
        return changed;
}

// ---- tasks, dealt by the leader and kept in ZooKeeper ----

static char *tasks_node(void) { return xasprintf("%s/state/tasks", marathon.path); }

static void store_tasks(json_t *tasks) {
        auto_free char *text = json_dumps(tasks, JSON_COMPACT), *node = tasks_node();
        if (!zk_put(zk, node, text))
                say("The tasks cannot be stored");
}

// True if there are others than before.
static bool load_tasks(void) {
        auto_free char *node = tasks_node(), *text = zk_get(zk, node);
        json_t *tasks = text ? json_loads(text, 0, NULL) : NULL;
        if (!tasks)
                tasks = json_object();
        pthread_mutex_lock(&lock);
        bool has_changed = !json_equal(tasks, marathon.tasks);
        json_decref(marathon.tasks);
        marathon.tasks = tasks;
        bool leads = *marathon.leader && strcmp(marathon.leader, marathon.address) == 0 && marathon.knows_slaves;
        json_t *dealt = leads ? deal_tasks(marathon.apps, marathon.tasks, marathon.slaves, marathon.offered) : NULL;
        bool is_to_store = dealt && !json_equal(dealt, marathon.tasks);
        pthread_mutex_unlock(&lock);
        if (is_to_store)
                store_tasks(dealt); // whose watch leads to here again
        json_decref(dealt);
        return has_changed;
}

static void delete_tasks(const struct request *request, struct reply *reply) {
        if (strcmp(marathon.leader, marathon.address) != 0)
                return reply_json(reply, 503, json_pack("{s:s}", "message", "not the leader"));
        json_t *body = json_loads(request->body, 0, NULL), *tasks = json_copy(marathon.tasks), *id;
        json_t *killed = json_array();
        size_t i;
        json_array_foreach(json_object_get(body, "ids"), i,
                           id) if (json_is_string(id) && json_object_del(tasks, json_string_value(id)) == 0)
            json_array_append(killed, id);
        store_tasks(tasks);
        say("Killed %zu tasks", json_array_size(killed));
        json_decref(tasks);
        json_decref(body);
        reply_json(reply, 200, json_pack("{s:o}", "tasks", killed));
}

// ---- HTTP ----

static void handle_leader(struct reply *reply) {
        if (*marathon.leader)
                reply_json(reply, 200, json_pack("{s:s}", "leader", marathon.leader));
        else
                reply_json(reply, 404, json_pack("{s:s}", "message", "There is no leader"));
}

static void handle_locked(const struct request *request, struct reply *reply) {
        const char *path = request->path;
        bool post = strcmp(request->method, "POST") == 0;
        if (strcmp(path, "/ping") == 0)
                reply_text(reply, 200, "pong\n");
        else if (strcmp(path, "/v2/info") == 0)
                reply_json(reply, 200, info());
        else if (strcmp(path, "/v2/leader") == 0)
                handle_leader(reply);
        else if (strcmp(path, "/v2/apps") == 0 && post)
                create_app(request, reply);
        else if (strcmp(path, "/v2/apps") == 0)
                reply_json(reply, 200, list_apps());
        else if (strncmp(path, "/v2/apps/", 9) == 0)
                handle_app(request, reply, path + 8);
        else if (strcmp(path, "/v2/tasks") == 0)
                reply_json(reply, 200, list_tasks());
        else if (strcmp(path, "/v2/tasks/delete") == 0 && post)
                delete_tasks(request, reply);
        else if (strcmp(path, "/v2/deployments") == 0)
                reply_json(reply, 200, json_array()); // each is over as it begins
        else if (strcmp(path, "/v2/events") == 0)
                reply->events = true;
        else if (strcmp(path, "/") == 0)
                reply_text(reply, 200, "This is a stand-in for Marathon, for tests.\n");
        else
                reply_text(reply, 404, "not found\n");
}

static void handle(const struct request *request, struct reply *reply) {
        pthread_mutex_lock(&lock);
        handle_locked(request, reply);
        pthread_mutex_unlock(&lock);
}

// ---- Mesos ----

static char *mesos_address(struct zk *mesos, const char *path) {
        if (!mesos)
                return xstrdup(flag("master"));
        auto_free char *text = zk_leader(mesos, path, MASTER_PREFIX);
        json_t *master = text ? json_loads(text, 0, NULL) : NULL;
        const char *pid = json_string_value(json_object_get(master, "pid"));
        const char *at = pid ? strchr(pid, '@') : NULL;
        char *address = at ? xstrdup(at + 1) : NULL;
        json_decref(master);
        return address;
}

// What each takes where it runs, from which the master sums up what its slaves have left.
static json_t *used_resources(void) {
        json_t *list = json_array(), *task;
        const char *id;
        pthread_mutex_lock(&lock);
        json_object_foreach(marathon.tasks, id, task) {
                json_t *app = json_object_get(marathon.apps, json_string_value(json_object_get(task, "app")));
                json_array_append_new(list,
                                      json_pack("{s:O,s:O?,s:O?}", "host", json_object_get(task, "host"), "cpus",
                                                json_object_get(app, "cpus"), "mem", json_object_get(app, "mem")));
        }
        pthread_mutex_unlock(&lock);
        return list;
}

static bool register_framework(const char *address) {
        auto_free char *url = xasprintf("http://%s%s", address, FRAMEWORKS_PATH);
        auto_free char *webui = flag("webui_url") ? xstrdup(flag("webui_url"))
                                                  : xasprintf("http://%s:%s", marathon.hostname, flag("http_port"));
        return http_send("POST", url,
                         json_pack("{s:s,s:s,s:s,s:s,s:b,s:o}", "id", marathon.framework_id, "name",
                                   flag("framework_name"), "hostname", marathon.hostname, "webui_url", webui,
                                   "checkpoint", strcmp(flag("checkpoint"), "true") == 0, "tasks", used_resources()),
                         NULL);
}

// True if there are any.
static bool learn_slaves(const char *address) {
        auto_free char *url = xasprintf("http://%s/state.json", address);
        json_t *state = NULL, *slave, *offered = json_array();
        size_t i;
        bool has_answer = http_send("GET", url, NULL, &state);
        pthread_mutex_lock(&lock);
        json_array_foreach(json_object_get(state, "slaves"), i, slave) {
                const char *host = json_string_value(json_object_get(slave, "hostname"));
                if (!host || !json_is_true(json_object_get(slave, "active")))
                        continue;
                json_object_set_new(marathon.slaves, host, json_real(now_seconds()));
                if (!json_is_false(json_object_get(slave, "stand_in_offered")))
                        json_array_append(offered, json_object_get(slave, "hostname"));
        }
        bool has_changed = !json_equal(offered, marathon.offered);
        json_decref(marathon.offered);
        marathon.offered = offered;
        marathon.knows_slaves |= has_answer;
        bool has_slaves = json_array_size(offered) > 0;
        pthread_mutex_unlock(&lock);
        json_decref(state);
        if (has_changed)
                zk_wake(zk);
        return has_slaves;
}

// The leader is the framework; every member learns the slaves, since every member lists the tasks.
static void *stay_registered(void *context) {
        (void)context;
        char *hosts = NULL, *path = NULL;
        struct zk *mesos = zk_split_url(flag("master"), &hosts, &path) ? zk_open(hosts) : NULL;
        bool was_registered = false;
        for (;;) {
                auto_free char *address = mesos_address(mesos, path);
                pthread_mutex_lock(&lock);
                bool leading = marathon.framework_id && strcmp(marathon.leader, marathon.address) == 0;
                pthread_mutex_unlock(&lock);
                bool registered = address && leading && register_framework(address);
                if (registered && !was_registered)
                        say("Registered as %s to master '%s'", marathon.framework_id, address);
                was_registered = registered;
                bool has_hosts = address && learn_slaves(address);
                bool is_settled = has_hosts && (registered || !leading);
                if (mesos)
                        zk_wait(mesos, is_settled ? HEARTBEAT_S * 1000 : 2000);
                else
                        sleep(2);
        }
        return NULL;
}

// ---- election ----

static void settle_framework_id(void) {
        auto_free char *node = xasprintf("%s/state/framework:id", marathon.path);
        char *id = zk_get(zk, node);
        if (!id) {
                id = xasprintf("stand-in-marathon-%.0f", now_seconds());
                if (!zk_put(zk, node, id))
                        free(take_ptr(id));
        }
        pthread_mutex_lock(&lock);
        marathon.framework_id = id;
        pthread_mutex_unlock(&lock);
}

static void watch_leader(void) {
        auto_free char *path = xasprintf("%s/leader", marathon.path), *leader = zk_leader(zk, path, "member_");
        if (!zk_connected(zk) || strcmp(leader ? leader : "", marathon.leader) == 0)
                return;
        say("The leader is %s", leader ? leader : "none");
        if (strcmp(marathon.leader, marathon.address) == 0)
                die("Defeated (Leader Interface): abdicating");
        pthread_mutex_lock(&lock);
        free(marathon.leader);
        marathon.leader = leader ? take_ptr(leader) : xstrdup("");
        pthread_mutex_unlock(&lock);
}

static void join_election(void) {
        auto_free char *path = xasprintf("%s/leader", marathon.path), *member = NULL;
        while (!(member = zk_join(zk, path, "member_", marathon.address)))
                zk_wait(zk, 1000);
        say("Joined the election in ZooKeeper as %s/%s", path, member);
}

static _Noreturn void elect(void) {
        unsigned generation = 0;
        for (;;) {
                bool leading = strcmp(marathon.leader, marathon.address) == 0;
                if (zk_generation(zk) != generation && leading)
                        die("Defeated (Leader Interface): the ZooKeeper session is gone");
                if (zk_generation(zk) != generation) {
                        generation = zk_generation(zk);
                        join_election();
                }
                watch_leader();
                if (!marathon.framework_id)
                        settle_framework_id();
                if (load_apps())
                        http_publish("api_post_event", "{\"eventType\":\"api_post_event\"}");
                if (load_tasks())
                        http_publish("status_update_event", "{\"eventType\":\"status_update_event\"}");
                zk_wait(zk, *marathon.leader && marathon.framework_id ? ZK_IDLE_MS : 1000);
        }
}

static void check_flags(void) {
        if (!flag("master"))
                die("Error: Required option 'master' not found");
        if (flag("event_subscriber") && strcmp(flag("event_subscriber"), "http_callback") != 0)
                die("Error: Validation failure for 'event_subscriber' option parameters: %s", flag("event_subscriber"));
}

int main(int argc, char **argv) {
        program_name = "marathon stand-in";
        flags_load_marathon(flags, lengthof(flags), argc, argv);
        check_flags();
        char *hosts;
        if (!zk_split_url(flag("zk"), &hosts, &marathon.path) || strcmp(marathon.path, "/") == 0)
                die("Error: Validation failure for 'zk' option parameters: %s", flag("zk"));
        marathon.hostname = flag("hostname") ? xstrdup(flag("hostname")) : machine_name();
        marathon.address = xasprintf("%s:%s", marathon.hostname, flag("http_port"));
        marathon.leader = xstrdup("");
        marathon.apps = json_object();
        marathon.tasks = json_object();
        marathon.slaves = json_object();
        marathon.offered = json_array();
        zk = zk_open(hosts);
        http_serve(flag("http_address"), atoi(flag("http_port")), handle);
        say("Marathon stand-in (%s) started on port %s", marathon.hostname, flag("http_port"));
        pthread_t thread;
        if (pthread_create(&thread, NULL, stay_registered, NULL) != 0)
                die("cannot start a thread");
        elect();
}
