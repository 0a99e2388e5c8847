/* Sheets: where rows and pictures go, and the letters of the labels. */
#include "eval/sheet.h"

#include <ctype.h>
#include <string.h>

enum {
    GLYPH_WIDTH = 5,
    GLYPH_HEIGHT = 7,
    LETTER = GLYPH_WIDTH + 1, /* with the gap */
    LETTER_SCALE = 2,
    LABEL_HEIGHT = (GLYPH_HEIGHT + 3) * LETTER_SCALE,
    GAP = 4,
    LEAST_SIDE = 96,
    SIDE_MAX = 30000,
};

/* Rows from top to bottom, five bits each, the leftmost the highest. */
struct glyph {
    char letter;
    uint8_t rows[GLYPH_HEIGHT];
};

static const struct glyph glyphs[] = {
    {'a', {14, 17, 17, 31, 17, 17, 17}}, {'b', {30, 17, 17, 30, 17, 17, 30}},
    {'c', {14, 17, 16, 16, 16, 17, 14}}, {'d', {30, 17, 17, 17, 17, 17, 30}},
    {'e', {31, 16, 16, 30, 16, 16, 31}}, {'f', {31, 16, 16, 30, 16, 16, 16}},
    {'g', {14, 17, 16, 23, 17, 17, 14}}, {'h', {17, 17, 17, 31, 17, 17, 17}},
    {'i', {14, 4, 4, 4, 4, 4, 14}},      {'j', {7, 2, 2, 2, 2, 18, 12}},
    {'k', {17, 18, 20, 24, 20, 18, 17}}, {'l', {16, 16, 16, 16, 16, 16, 31}},
    {'m', {17, 27, 21, 21, 17, 17, 17}}, {'n', {17, 25, 21, 19, 17, 17, 17}},
    {'o', {14, 17, 17, 17, 17, 17, 14}}, {'p', {30, 17, 17, 30, 16, 16, 16}},
    {'q', {14, 17, 17, 17, 21, 18, 13}}, {'r', {30, 17, 17, 30, 20, 18, 17}},
    {'s', {15, 16, 16, 14, 1, 1, 30}},   {'t', {31, 4, 4, 4, 4, 4, 4}},
    {'u', {17, 17, 17, 17, 17, 17, 14}}, {'v', {17, 17, 17, 17, 17, 10, 4}},
    {'w', {17, 17, 17, 21, 21, 27, 17}}, {'x', {17, 17, 10, 4, 10, 17, 17}},
    {'y', {17, 17, 10, 4, 4, 4, 4}},     {'z', {31, 1, 2, 4, 8, 16, 31}},
    {'0', {14, 17, 19, 21, 25, 17, 14}}, {'1', {4, 12, 4, 4, 4, 4, 14}},
    {'2', {14, 17, 1, 2, 4, 8, 31}},     {'3', {31, 2, 4, 2, 1, 17, 14}},
    {'4', {2, 6, 10, 18, 31, 2, 2}},     {'5', {31, 16, 30, 1, 1, 17, 14}},
    {'6', {6, 8, 16, 30, 17, 17, 14}},   {'7', {31, 1, 2, 4, 8, 8, 8}},
    {'8', {14, 17, 17, 14, 17, 17, 14}}, {'9', {14, 17, 17, 15, 1, 2, 12}},
};

static const struct glyph *find_glyph(char letter)
{
    for (size_t i = 0; i < sizeof glyphs / sizeof *glyphs; i++)
        if (glyphs[i].letter == tolower((unsigned char)letter))
            return &glyphs[i];
    return NULL;
}

static void fill_square(struct image *image, int x, int y, int side, const uint8_t colour[3])
{
    for (int row = y; row < y + side && row < image->height; row++)
        for (int column = x; column < x + side && column < image->width; column++)
            memcpy(image_at(image, column, row), colour, 3);
}

static void draw_glyph(struct image *image, const struct glyph *glyph, int x, int y)
{
    static const uint8_t ink[3] = {40, 40, 40};
    for (int row = 0; row < GLYPH_HEIGHT; row++)
        for (int column = 0; column < GLYPH_WIDTH; column++)
            if (glyph->rows[row] >> (GLYPH_WIDTH - 1 - column) & 1)
                fill_square(image, x + column * LETTER_SCALE, y + row * LETTER_SCALE, LETTER_SCALE, ink);
}

static void draw_label(struct image *image, const char *label, int x, int y)
{
    for (; *label; label++, x += LETTER * LETTER_SCALE) {
        const struct glyph *glyph = find_glyph(*label);
        if (glyph)
            draw_glyph(image, glyph, x, y);
    }
}

void picture_to_bytes(const float *picture, int height, int width, uint8_t *bytes)
{
    const ptrdiff_t pixels = (ptrdiff_t)height * width;
    for (ptrdiff_t i = 0; i < pixels; i++)
        for (int c = 0; c < 3; c++) {
            const float value = picture[c * pixels + i];
            bytes[3 * i + c] = value >= 1 ? 255 : value > 0 ? (uint8_t)(value * 255 + 0.5f) : 0;
        }
}

static void draw_picture(struct image *image, const float *picture, int height, int width, int scale, int x,
                         int y)
{
    const ptrdiff_t pixels = (ptrdiff_t)height * width;
    for (int row = 0; row < height; row++)
        for (int column = 0; column < width; column++) {
            float values[3];
            uint8_t colour[3];
            for (int c = 0; c < 3; c++)
                values[c] = picture[c * pixels + (ptrdiff_t)row * width + column];
            picture_to_bytes(values, 1, 1, colour);
            fill_square(image, x + column * scale, y + row * scale, scale, colour);
        }
}

/* The sizes of a sheet in pixels. */
struct layout {
    int height, width, across, scale;
    int64_t tall, wide; /* of one place: a picture and the gap after it */
};

static int64_t row_height(const struct layout *l, const struct sheet_row *row)
{
    return (row->label ? LABEL_HEIGHT : 0) + (int64_t)((row->count + l->across - 1) / l->across) * l->tall;
}

static void draw_row(struct image *image, const struct layout *l, const struct sheet_row *row, int y)
{
    const ptrdiff_t values = (ptrdiff_t)3 * l->height * l->width;
    if (row->label) {
        draw_label(image, row->label, GAP, y + LETTER_SCALE);
        y += LABEL_HEIGHT;
    }
    for (int i = 0; i < row->count; i++)
        draw_picture(image, row->pictures + i * values, l->height, l->width, l->scale,
                     GAP + (int)(i % l->across * l->wide), y + (int)(i / l->across * l->tall));
}

ttt_status sheet_draw(const struct sheet_row *rows, int count, int height, int width, int across,
                      struct image *out)
{
    const int least = height < width ? height : width;
    const int scale = (LEAST_SIDE + least - 1) / least;
    const struct layout l = {
        height, width, across, scale, (int64_t)height * scale + GAP, (int64_t)width * scale + GAP};
    int64_t tall = GAP, columns = 1;
    for (int i = 0; i < count; i++) {
        const int64_t used = rows[i].count < across ? rows[i].count : across;
        tall += row_height(&l, &rows[i]);
        columns = used > columns ? used : columns;
    }
    int64_t wide = GAP + columns * l.wide;
    for (int i = 0; i < count; i++) {
        const int64_t label =
            rows[i].label ? GAP + (int64_t)strlen(rows[i].label) * LETTER * LETTER_SCALE : 0;
        wide = label > wide ? label : wide;
    }
    if (tall > SIDE_MAX || wide > SIDE_MAX)
        return ttt_fail(TTT_ARGUMENT, "a sheet of %lldx%lld pixels: no side may be over %d", (long long)wide,
                        (long long)tall, SIDE_MAX);
    TRY(image_new((int)wide, (int)tall, 3, out));
    memset(out->pixels, 255, image_bytes(out));
    for (int i = 0, y = GAP; i < count; i++) {
        draw_row(out, &l, &rows[i], y);
        y += (int)row_height(&l, &rows[i]);
    }
    return TTT_OK;
}
