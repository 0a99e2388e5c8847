/* Index files of input and target views. */
#include "data/scenes/view_index.h"

#include <stdlib.h>
#include <string.h>

#include "data/scenes/scene_json.h"

struct view_index {
    char *path;
    json_t *root;
};

ttt_status view_index_open(const char *path, struct view_index **out)
{
    *out = NULL;
    struct view_index *index = calloc(1, sizeof *index);
    if (!index)
        return ttt_fail(TTT_MEMORY, "%s: not enough memory", path);
    ttt_status status = scene_json_read(path, &index->root);
    index->path = strdup(path);
    if (!status && !index->path)
        status = ttt_fail(TTT_MEMORY, "%s: not enough memory", path);
    if (!status && !json_is_object(index->root))
        status = ttt_fail(TTT_FORMAT, "%s: is not an object of scenes with inputs and targets", path);
    if (status)
        view_index_free(index);
    else
        *out = index;
    return status;
}

void view_index_free(struct view_index *index)
{
    if (!index)
        return;
    json_decref(index->root);
    free(index->path);
    free(index);
}

/* A list under either of its names. */
static ttt_status find_list(const struct view_index *index, const json_t *entry, const char *scene,
                            const char *key, const char *other_key, const json_t **list)
{
    *list = json_object_get(entry, key);
    if (!*list)
        *list = json_object_get(entry, other_key);
    size_t count = json_array_size(*list);
    if (json_is_array(*list) && count > 0 && count <= SCENE_VIEWS_MAX)
        return TTT_OK;
    return ttt_fail(TTT_FORMAT, "%s: entry '%s': key '%s' is %s", index->path, scene_quote(scene).text, key,
                    *list ? "not a list of 1 to 100000 views" : "missing");
}

static ttt_status find_lists(const struct view_index *index, const struct scene *scene, const json_t **inputs,
                             const json_t **targets)
{
    const json_t *entry = json_object_get(index->root, scene->name);
    if (!entry || json_is_null(entry))
        return ttt_fail(TTT_ARGUMENT, "%s: the index %s has no views for '%s'", scene->path, index->path,
                        scene_quote(scene->name).text);
    TRY(find_list(index, entry, scene->name, "inputs", "context", inputs));
    return find_list(index, entry, scene->name, "targets", "target", targets);
}

ttt_status view_index_counts(const struct view_index *index, const struct scene *scene, int *inputs,
                             int *targets)
{
    const json_t *input_list, *target_list;
    TRY(find_lists(index, scene, &input_list, &target_list));
    TRY(view_index_choose(index, scene, NULL, NULL));
    *inputs = (int)json_array_size(input_list);
    *targets = (int)json_array_size(target_list);
    return TTT_OK;
}

/* Views stand in the order of their entries. */
static bool find_view(const struct scene *scene, json_int_t entry, uint32_t *position)
{
    uint32_t low = 0, high = scene->view_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if ((json_int_t)scene->views[middle].entry < entry)
            low = middle + 1;
        else
            high = middle;
    }
    *position = low;
    return low < scene->view_count && (json_int_t)scene->views[low].entry == entry;
}

/* One list, in which no view stands twice. */
static ttt_status fill(const struct view_index *index, const struct scene *scene, const json_t *list,
                       const char *key, bool *named, uint32_t *positions)
{
    memset(named, 0, scene->view_count * sizeof *named);
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *value = json_array_get(list, i);
        uint32_t position;
        if (!json_is_integer(value))
            return ttt_fail(TTT_FORMAT, "%s: entry '%s': key '%s': number %zu is not a whole number",
                            index->path, scene_quote(scene->name).text, key, i);
        const long long entry = json_integer_value(value);
        if (!find_view(scene, entry, &position))
            return ttt_fail(TTT_FORMAT, "%s: entry '%s': key '%s': there is no view %lld, %s has %u views",
                            index->path, scene_quote(scene->name).text, key, entry, scene->path,
                            scene->view_count);
        if (named[position])
            return ttt_fail(TTT_FORMAT,
                            "%s: entry '%s': key '%s': view %lld stands there twice: name it once",
                            index->path, scene_quote(scene->name).text, key, entry);
        named[position] = true;
        if (positions)
            positions[i] = position;
    }
    return TTT_OK;
}

ttt_status view_index_choose(const struct view_index *index, const struct scene *scene, uint32_t *inputs,
                             uint32_t *targets)
{
    const json_t *input_list, *target_list;
    TRY(find_lists(index, scene, &input_list, &target_list));
    bool *named = calloc(scene->view_count, sizeof *named);
    if (!named)
        return ttt_fail(TTT_MEMORY, "%s: not enough memory to choose views", scene->path);
    ttt_status status = fill(index, scene, input_list, "inputs", named, inputs);
    if (!status)
        status = fill(index, scene, target_list, "targets", named, targets);
    free(named);
    return status;
}
