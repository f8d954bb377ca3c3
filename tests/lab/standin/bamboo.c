// SPDX-License-Identifier: MIT
// Stand-in for Bamboo 0.2.15: production.json with its environment overrides, services in ZooKeeper, the HAProxy
// template rendered from Marathon's applications and those services, checked, written when it differs, and the real
// HAProxy reloaded.
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <strings.h>

#include "common.h"
#include "gotemplate.h"
#include "http.h"
#include "zk.h"

// Each setting: its place in the JSON (names are compared as Go does, in any case), and the variable that overrides it.
enum setting {
        MARATHON_ENDPOINT,
        MARATHON_USE_EVENT_STREAM,
        BAMBOO_ENDPOINT,
        ZK_HOST,
        ZK_PATH,
        TEMPLATE_PATH,
        OUTPUT_PATH,
        RELOAD_COMMAND,
        RELOAD_VALIDATION_COMMAND,
        RELOAD_CLEANUP_COMMAND,
        SETTING_COUNT
};
static const struct {
        const char *path[3], *variable;
} settings[SETTING_COUNT] = {
        [MARATHON_ENDPOINT] = { { "Marathon", "Endpoint" }, "MARATHON_ENDPOINT" },
        [MARATHON_USE_EVENT_STREAM] = { { "Marathon", "UseEventStream" }, "MARATHON_USE_EVENT_STREAM" },
        [BAMBOO_ENDPOINT] = { { "Bamboo", "Endpoint" }, "BAMBOO_ENDPOINT" },
        [ZK_HOST] = { { "Bamboo", "Zookeeper", "Host" }, "BAMBOO_ZK_HOST" },
        [ZK_PATH] = { { "Bamboo", "Zookeeper", "Path" }, "BAMBOO_ZK_PATH" },
        [TEMPLATE_PATH] = { { "HAProxy", "TemplatePath" }, "HAPROXY_TEMPLATE_PATH" },
        [OUTPUT_PATH] = { { "HAProxy", "OutputPath" }, "HAPROXY_OUTPUT_PATH" },
        [RELOAD_COMMAND] = { { "HAProxy", "ReloadCommand" }, "HAPROXY_RELOAD_CMD" },
        [RELOAD_VALIDATION_COMMAND] = { { "HAProxy", "ReloadValidationCommand" }, "HAPROXY_RELOAD_VALIDATION_CMD" },
        [RELOAD_CLEANUP_COMMAND] = { { "HAProxy", "ReloadCleanupCommand" }, "HAPROXY_RELOAD_CLEANUP_CMD" },
};
static char *config[SETTING_COUNT]; // never NULL
static struct zk *zk;

// ---- command line and configuration ----

static _Noreturn void usage(FILE *to, int status) {
        fprintf(to, "Usage of bamboo (a stand-in for tests):\n"
                    "  -bind=\":8000\": Bind HTTP server to a specific address\n"
                    "  -config=\"config/production.example.json\": Full path of the configuration JSON file\n"
                    "  -log=\"\": Log path to a file\n");
        exit(status);
}

static struct option_text {
        const char *name, *value;
} options[] = { { "bind", ":8000" }, { "config", "config/production.example.json" }, { "log", "" } };

// Go's flag package: -name value, -name=value, --name.
static void parse_options(int argc, char **argv) {
        for (int i = 1; i < argc; i++) {
                const char *name = argv[i] + (argv[i][0] == '-') + (strncmp(argv[i], "--", 2) == 0);
                const char *equals = strchr(name, '=');
                size_t length = equals ? (size_t)(equals - name) : strlen(name);
                bool known = false;
                if (strcmp(name, "help") == 0 || strcmp(name, "h") == 0)
                        usage(stdout, 0);
                if (strcmp(name, "version") == 0) {
                        printf("%s (not the real program)\n", program_name);
                        exit(0);
                }
                for (size_t j = 0; j < lengthof(options) && argv[i][0] == '-'; j++) {
                        if (strlen(options[j].name) != length || strncmp(options[j].name, name, length) != 0)
                                continue;
                        options[j].value = equals ? equals + 1 : argv[++i];
                        known = true;
                        if (!options[j].value) {
                                fprintf(stderr, "flag needs an argument: -%s\n", options[j].name);
                                usage(stderr, 2);
                        }
                }
                if (!known) {
                        fprintf(stderr, "flag provided but not defined: -%.*s\n", (int)length, name);
                        usage(stderr, 2);
                }
        }
}

static json_t *get_any_case(json_t *object, const char *wanted) {
        const char *name;
        json_t *value;
        json_object_foreach(object, name, value) {
                if (strcasecmp(name, wanted) == 0)
                        return value;
        }
        return NULL;
}

static void load_config(const char *path) {
        json_error_t error;
        json_t *file = json_load_file(path, 0, &error);
        if (!file)
                die("Error opening configuration file %s: line %d: %s", path, error.line, error.text);
        for (size_t i = 0; i < SETTING_COUNT; i++) {
                json_t *value = file;
                for (size_t j = 0; j < lengthof(settings[i].path) && settings[i].path[j]; j++)
                        value = get_any_case(value, settings[i].path[j]);
                const char *text = json_is_true(value) ? "true" : json_is_string(value) ? json_string_value(value) : "";
                const char *variable = getenv(settings[i].variable);
                config[i] = xstrdup(variable && *variable ? variable : text);
        }
        json_decref(file);
}

// A log file in addition to standard error, as the real one does.
static void *copy_log(void *context) {
        int *fds = context;
        char block[4096];
        ssize_t size;
        while ((size = read(fds[0], block, sizeof(block))) > 0)
                if (write(fds[1], block, (size_t)size) < 0 || write(fds[2], block, (size_t)size) < 0)
                        break;
        return NULL;
}

static void open_log(const char *path) {
        static int fds[3];
        int pipes[2];
        pthread_t thread;
        if (!*path)
                return;
        fds[1] = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
        if (fds[1] < 0 || pipe2(pipes, O_CLOEXEC) < 0)
                die("cannot open the log %s: %s", path, strerror(errno));
        fds[0] = pipes[0];
        fds[2] = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
        dup2(pipes[1], STDERR_FILENO);
        close(pipes[1]);
        if (pthread_create(&thread, NULL, copy_log, fds) != 0)
                die("cannot start a thread");
        pthread_detach(thread);
}

// ---- services in ZooKeeper: a node for each, named by the escaped application id, holding its ACL ----

static char *escape(const char *text) {
        auto_buf out = { 0 };
        for (; *text; text++)
                if (strchr("/%?# ", *text))
                        buf_printf(&out, "%%%02X", (unsigned char)*text);
                else
                        buf_append_char(&out, *text);
        return buf_take(&out);
}

static char *unescape(const char *text) {
        auto_buf out = { 0 };
        for (; *text; text++) {
                unsigned byte;
                bool escaped = *text == '%' && sscanf(text + 1, "%2x", &byte) == 1 && byte != 0 && text[1] && text[2];
                buf_append_char(&out, escaped ? (char)byte : *text);
                text += escaped ? 2 : 0;
        }
        buf_append_char(&out, '\0');
        return buf_take(&out);
}

static json_t *load_services(void) {
        json_t *services = json_object();
        struct zk_names names;
        if (!zk_children(zk, config[ZK_PATH], "", &names))
                return services;
        for (size_t i = 0; i < names.count; i++) {
                auto_free char *node = xasprintf("%s/%s", config[ZK_PATH], names.items[i]), *acl = zk_get(zk, node);
                auto_free char *id = unescape(names.items[i]);
                if (acl && *id)
                        json_object_set_new(services, id, json_pack("{s:s,s:s}", "Id", id, "Acl", acl));
        }
        zk_names_release(&names);
        return services;
}

// ---- applications from Marathon ----

static bool fetch_from(const char *endpoint, json_t **ret_apps, json_t **ret_tasks) {
        auto_free char *apps_url = xasprintf("%s/v2/apps", endpoint), *tasks_url = xasprintf("%s/v2/tasks", endpoint);
        json_t *apps = NULL, *tasks = NULL;
        if (http_send("GET", apps_url, NULL, &apps) && apps && http_send("GET", tasks_url, NULL, &tasks) && tasks) {
                *ret_apps = apps;
                *ret_tasks = tasks;
                return true;
        }
        json_decref(apps);
        json_decref(tasks);
        return false;
}

// The first endpoint that answers.
static bool fetch(json_t **ret_apps, json_t **ret_tasks) {
        auto_free char *endpoints = xstrdup(config[MARATHON_ENDPOINT]);
        char *rest = NULL;
        for (char *endpoint = strtok_r(endpoints, ",", &rest); endpoint; endpoint = strtok_r(NULL, ",", &rest))
                if (fetch_from(endpoint, ret_apps, ret_tasks))
                        return true;
        return false;
}

static json_t *tasks_of(json_t *tasks, const char *id) {
        json_t *list = json_array(), *task;
        size_t i;
        json_array_foreach(json_object_get(tasks, "tasks"), i, task) {
                const char *app = json_string_value(json_object_get(task, "appId"));
                json_t *port = json_array_get(json_object_get(task, "ports"), 0);
                const char *host = json_string_value(json_object_get(task, "host"));
                if (app && strcmp(app, id) == 0 && port && host)
                        json_array_append_new(list, json_pack("{s:s,s:O}", "Host", host, "Port", port));
        }
        return list;
}

static json_t *template_app(json_t *app, json_t *tasks, const char *id) {
        auto_free char *escaped = xstrdup(id);
        auto_buf doubled = { 0 };
        for (char *c = escaped; *c; c++)
                buf_append_text(&doubled, *c == '/' ? "::" : (char[]){ *c, '\0' });
        json_t *check = json_object_get(json_array_get(json_object_get(app, "healthChecks"), 0), "path");
        json_t *env = json_object(), *ports = json_object_get(app, "ports");
        json_object_set_new(env, "", json_null()); // a map: see gotemplate.h
        if (json_object_get(app, "env"))
                json_object_update(env, json_object_get(app, "env"));
        return json_pack("{s:s,s:s,s:s,s:o,s:o,s:o}", "Id", id, "EscapedId", buf_text(&doubled), "HealthCheckPath",
                         json_is_string(check) ? json_string_value(check) : "", "Tasks", tasks, "ServicePorts",
                         ports ? json_incref(ports) : json_array(), "Env", env);
}

static int compare_apps(const void *left, const void *right) {
        return strcmp(json_string_value(json_object_get(*(json_t *const *)left, "Id")),
                      json_string_value(json_object_get(*(json_t *const *)right, "Id")));
}

// Those with a task, by id. When no Marathon answers there are none: so does the real one.
static json_t *load_apps(void) {
        json_t *answer = NULL, *tasks = NULL, *app, *list = json_array(), **sorted = NULL;
        size_t i, count = 0;
        if (!fetch(&answer, &tasks))
                return list;
        json_array_foreach(json_object_get(answer, "apps"), i, app) {
                const char *id = json_string_value(json_object_get(app, "id"));
                json_t *own = id ? tasks_of(tasks, id) : NULL;
                if (json_array_size(own) > 0)
                        *array_append(&sorted, &count) = template_app(app, own, id);
                else
                        json_decref(own);
        }
        if (count > 0)
                qsort(sorted, count, sizeof(*sorted), compare_apps);
        for (i = 0; i < count; i++)
                json_array_append_new(list, sorted[i]);
        free(sorted);
        json_decref(answer);
        json_decref(tasks);
        return list;
}

// ---- HAProxy ----

static bool run_shell(const char *command, const char *what) {
        auto_buf output = { 0 };
        int status = run_program((const char *[]){ "sh", "-c", command, NULL }, &output);
        if (status != 0)
                say("%s failed (%d): %s: %s", what, status, command, buf_text(&output));
        return status == 0;
}

// ReloadValidationCommand is a template too, whose "." is the name of a file with the new text.
static bool validate(const char *text) {
        if (!*config[RELOAD_VALIDATION_COMMAND])
                return true;
        char path[] = "/tmp/bamboo.XXXXXX";
        auto_close int fd = mkostemp(path, O_CLOEXEC);
        if (fd < 0 || !text_write(path, text)) {
                say("cannot write %s", path);
                return false;
        }
        auto_buf command = { 0 }, error = { 0 };
        json_t *name = json_string(path);
        bool valid = gotemplate_render(config[RELOAD_VALIDATION_COMMAND], name, &command, &error);
        json_decref(name);
        if (!valid)
                say("ReloadValidationCommand: %s", buf_text(&error));
        valid = valid && run_shell(buf_text(&command), "validation of the new HAProxy configuration");
        unlink(path);
        return valid;
}

static void update_haproxy(void) {
        auto_free char *template = text_read(config[TEMPLATE_PATH]), *current = text_read(config[OUTPUT_PATH]);
        if (!template)
                die("Cannot read template file: %s", config[TEMPLATE_PATH]);
        json_t *services = load_services();
        json_object_set_new(services, "", json_null()); // a map
        json_t *data = json_pack("{s:o,s:o}", "Apps", load_apps(), "Services", services);
        auto_buf text = { 0 }, error = { 0 };
        bool rendered = gotemplate_render(template, data, &text, &error);
        json_decref(data);
        if (!rendered)
                die("template %s: %s", config[TEMPLATE_PATH], buf_text(&error));
        if (current && strcmp(current, buf_text(&text)) == 0)
                return;
        if (!validate(buf_text(&text)))
                return;
        if (!text_write(config[OUTPUT_PATH], buf_text(&text)))
                die("Failed to write %s: %s", config[OUTPUT_PATH], strerror(errno));
        if (run_shell(config[RELOAD_COMMAND], "ReloadCommand"))
                say("HAProxy: Configuration updated");
        if (*config[RELOAD_CLEANUP_COMMAND])
                run_shell(config[RELOAD_CLEANUP_COMMAND], "ReloadCleanupCommand");
}

// ---- HTTP ----

static void put_service(const struct request *request, struct reply *reply, const char *id_of_path) {
        json_t *body = json_loads(request->body, 0, NULL);
        const char *id = id_of_path ? id_of_path : json_string_value(get_any_case(body, "id"));
        const char *acl = json_string_value(get_any_case(body, "acl"));
        auto_free char *escaped = escape(id ? id : ""), *node = xasprintf("%s/%s", config[ZK_PATH], escaped);
        if (!id || !*id || !acl)
                reply_text(reply, 400, "id and acl are needed\n");
        else if (!zk_put(zk, node, acl))
                reply_text(reply, 400, "ZooKeeper does not answer\n");
        else
                reply_json(reply, 200, json_pack("{s:s,s:s}", "Id", id, "Acl", acl));
        json_decref(body);
}

static void delete_service(struct reply *reply, const char *id) {
        auto_free char *escaped = escape(id), *node = xasprintf("%s/%s", config[ZK_PATH], escaped);
        if (zk_delete(zk, node))
                reply_json(reply, 200, json_object());
        else
                reply_text(reply, 400, "no such service\n");
}

static void handle_services(const struct request *request, struct reply *reply, const char *id) {
        auto_free char *named = id ? xasprintf("%s%s", *id == '/' ? "" : "/", id) : NULL;
        if (strcmp(request->method, "GET") == 0)
                reply_json(reply, 200, load_services());
        else if (strcmp(request->method, id ? "PUT" : "POST") == 0)
                put_service(request, reply, named);
        else if (strcmp(request->method, "DELETE") == 0 && id)
                delete_service(reply, named);
        else
                reply_text(reply, 405, "");
}

static void handle(const struct request *request, struct reply *reply) {
        const char *path = request->path;
        if (strcmp(path, "/status") == 0)
                reply_text(reply, 200, "OK");
        else if (strcmp(path, "/api/state") == 0)
                reply_json(reply, 200, json_pack("{s:o,s:o}", "Apps", load_apps(), "Services", load_services()));
        else if (strcmp(path, "/api/services") == 0)
                handle_services(request, reply, NULL);
        else if (strncmp(path, "/api/services/", 14) == 0)
                handle_services(request, reply, path + 14);
        else if (strcmp(path, "/api/marathon/event_callback") == 0) {
                zk_wake(zk);
                reply_text(reply, 200, "");
        } else if (strcmp(path, "/") == 0)
                reply_text(reply, 200, "This is a stand-in for Bamboo, for tests.\n");
        else
                reply_text(reply, 404, "not found\n");
}

static void serve(const char *bind) {
        const char *colon = strrchr(bind, ':');
        if (!colon || atoi(colon + 1) <= 0)
                die("listen tcp: missing port in address %s", bind);
        auto_free char *ip = xstrndup(bind, (size_t)(colon - bind));
        http_serve(ip, atoi(colon + 1), handle);
}

// ---- events ----

static void note_change(void *context) {
        (void)context;
        zk_wake(zk);
}

static void *follow(void *endpoint) {
        auto_free char *url = xasprintf("%s/v2/events", (char *)endpoint);
        for (;;) {
                http_follow(url, note_change, NULL);
                sleep(1);
        }
        return NULL;
}

static void follow_marathons(void) {
        auto_free char *endpoints = xstrdup(config[MARATHON_ENDPOINT]);
        char *rest = NULL;
        for (char *endpoint = strtok_r(endpoints, ",", &rest); endpoint; endpoint = strtok_r(NULL, ",", &rest)) {
                pthread_t thread;
                if (pthread_create(&thread, NULL, follow, xstrdup(endpoint)) != 0)
                        die("cannot start a thread");
                pthread_detach(thread);
        }
}

// Without the stream the real one registers a callback URL with each Marathon, and stops at the first that is down.
static void register_callbacks(void) {
        auto_free char *endpoints = xstrdup(config[MARATHON_ENDPOINT]);
        char *rest = NULL;
        for (char *endpoint = strtok_r(endpoints, ",", &rest); endpoint; endpoint = strtok_r(NULL, ",", &rest)) {
                auto_free char *url = xasprintf("%s/v2/eventSubscriptions?callbackUrl=%s/api/marathon/event_callback",
                                                endpoint, config[BAMBOO_ENDPOINT]);
                if (!http_send("POST", url, NULL, NULL)) {
                        say("An error occurred while accessing Marathon callback system at %s", endpoint);
                        return;
                }
        }
}

static void connect_zookeeper(void) {
        zk = zk_open(config[ZK_HOST]);
        double end = now_seconds() + 10;
        while (!zk_connected(zk)) {
                if (now_seconds() > end)
                        die("Failed to connect to ZooKeeper at %s", config[ZK_HOST]);
                zk_wait(zk, 500);
        }
        auto_free char *own = zk_get(zk, config[ZK_PATH]);
        if (!own && !zk_put(zk, config[ZK_PATH], ""))
                die("Failed to create %s in ZooKeeper", config[ZK_PATH]);
}

int main(int argc, char **argv) {
        program_name = "bamboo stand-in";
        parse_options(argc, argv);
        load_config(options[1].value);
        open_log(options[2].value);
        connect_zookeeper();
        serve(options[0].value);
        say("Bamboo stand-in started: %s, ZooKeeper %s%s", options[0].value, config[ZK_HOST], config[ZK_PATH]);
        if (strcmp(config[MARATHON_USE_EVENT_STREAM], "true") == 0)
                follow_marathons();
        else
                register_callbacks();
        // Events come as wake-ups (a change of Marathon) and as watches (a change of the services): either way, render.
        for (;;) {
                update_haproxy();
                zk_wait(zk, 60000);
        }
}
