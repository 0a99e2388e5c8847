/* The events of one YAML file, strictly: one document, no anchors, aliases or tags. */
#include "train/config/yaml.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "train/config/settings.h"

static ttt_status read_all(struct config_yaml *yaml, FILE *file)
{
    yaml->bytes = malloc(CONFIG_FILE_MAX + 1);
    if (!yaml->bytes)
        return ttt_fail(TTT_MEMORY, "%s: out of memory for a config file", yaml->path);
    yaml->size = fread(yaml->bytes, 1, CONFIG_FILE_MAX + 1, file);
    if (ferror(file))
        return ttt_fail(errno == EISDIR ? TTT_ARGUMENT : TTT_IO, "%s: cannot be read: %s", yaml->path,
                        strerror(errno));
    if (yaml->size > CONFIG_FILE_MAX)
        return ttt_fail(TTT_FORMAT, "%s: is larger than the 1 MiB that a config may have", yaml->path);
    return TTT_OK;
}

/* Drops a byte order mark, which libyaml takes only where it guesses the encoding. */
static void drop_mark(struct config_yaml *yaml)
{
    static const char mark[] = "\xef\xbb\xbf";
    const size_t n = sizeof mark - 1;
    if (yaml->size < n || memcmp(yaml->bytes, mark, n) != 0)
        return;
    yaml->size -= n;
    memmove(yaml->bytes, yaml->bytes + n, yaml->size);
}

ttt_status config_yaml_open(struct config_yaml *yaml, const char *path, FILE *file)
{
    *yaml = (struct config_yaml){.path = path};
    ttt_status status = read_all(yaml, file);
    if (!status && !yaml_parser_initialize(&yaml->parser))
        status = ttt_fail(TTT_MEMORY, "%s: out of memory for a YAML parser", path);
    if (status) {
        free(yaml->bytes);
        return status;
    }
    drop_mark(yaml);
    yaml_parser_set_input_string(&yaml->parser, (const unsigned char *)yaml->bytes, yaml->size);
    yaml_parser_set_encoding(&yaml->parser, YAML_UTF8_ENCODING);
    return TTT_OK;
}

void config_yaml_close(struct config_yaml *yaml)
{
    yaml_event_delete(&yaml->event);
    yaml_parser_delete(&yaml->parser);
    free(yaml->bytes);
}

int config_yaml_line(const struct config_yaml *yaml)
{
    return (int)yaml->event.start_mark.line + 1;
}

ttt_status config_yaml_at(const struct config_yaml *yaml, int line, ttt_status status)
{
    return ttt_within(status, "%s:%d", yaml->path, line);
}

static int line_of_offset(const struct config_yaml *yaml, size_t offset)
{
    int line = 1;
    for (size_t i = 0; i < offset && i < yaml->size; i++)
        line += yaml->bytes[i] == '\n';
    return line;
}

/* Whether a line, from 1, is indented with a tab: the most frequent mistake that YAML's own message hides. */
static bool has_tab_indent(const struct config_yaml *yaml, int line)
{
    const char *p = yaml->bytes, *end = p + yaml->size;
    while (--line && p) {
        p = memchr(p, '\n', (size_t)(end - p));
        p = p ? p + 1 : NULL;
    }
    while (p && p < end && *p == ' ')
        p++;
    return p && p < end && *p == '\t';
}

static ttt_status parser_error(const struct config_yaml *yaml)
{
    const yaml_parser_t *parser = &yaml->parser;
    if (parser->error == YAML_MEMORY_ERROR)
        return ttt_fail(TTT_MEMORY, "%s: out of memory while reading", yaml->path);
    if (parser->error == YAML_READER_ERROR)
        return config_yaml_at(
            yaml, line_of_offset(yaml, parser->problem_offset),
            ttt_fail(TTT_FORMAT, "is not UTF-8 text without control characters (%s)", parser->problem));
    int line = (int)parser->problem_mark.line + 1;
    if (has_tab_indent(yaml, line))
        return config_yaml_at(yaml, line, ttt_fail(TTT_FORMAT, "is indented with a tab; YAML takes spaces"));
    return config_yaml_at(yaml, line, ttt_fail(TTT_FORMAT, "is not YAML: %s", parser->problem));
}

static ttt_status check_plain(const yaml_event_t *event)
{
    const yaml_char_t *anchor = NULL, *tag = NULL;
    switch (event->type) {
    case YAML_ALIAS_EVENT:
        anchor = event->data.alias.anchor;
        break;
    case YAML_SCALAR_EVENT:
        anchor = event->data.scalar.anchor;
        tag = event->data.scalar.tag;
        break;
    case YAML_SEQUENCE_START_EVENT:
        anchor = event->data.sequence_start.anchor;
        tag = event->data.sequence_start.tag;
        break;
    case YAML_MAPPING_START_EVENT:
        anchor = event->data.mapping_start.anchor;
        tag = event->data.mapping_start.tag;
        break;
    default:
        break;
    }
    if (anchor)
        return ttt_fail(TTT_FORMAT,
                        "anchors (&) and aliases (*) are not taken; write the value out, or put it "
                        "into a file named by base");
    return tag ? ttt_fail(TTT_FORMAT, "tags (!) are not taken; write the plain value") : TTT_OK;
}

ttt_status config_yaml_next(struct config_yaml *yaml)
{
    yaml_event_delete(&yaml->event);
    if (!yaml_parser_parse(&yaml->parser, &yaml->event))
        return parser_error(yaml);
    return config_yaml_at(yaml, config_yaml_line(yaml), check_plain(&yaml->event));
}
