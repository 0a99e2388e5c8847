/* Products for which there is another way when the library does not serve them. */
#include "ttt/device/cuda_product.h"

/* Takes what the library does not serve for no error. */
static ttt_status unless_unsupported(ttt_status status, bool *served)
{
    *served = status == TTT_OK;
    if (*served || ttt_status_code(status) != TTT_UNSUPPORTED)
        return status;
    ttt_status_free(status);
    return TTT_OK;
}

ttt_status ttt_cuda_product_try(ttt_device *device, const ttt_cuda_product *product,
                                ttt_cuda_prepared **prepared)
{
    bool served;
    return unless_unsupported(ttt_cuda_product_prepare(device, product, prepared), &served);
}

ttt_status ttt_cuda_product_try_run(ttt_device *device, const ttt_cuda_prepared *prepared,
                                    const ttt_cuda_operands *operands, bool *done)
{
    *done = false;
    return prepared ? unless_unsupported(ttt_cuda_product_run(device, prepared, operands), done) : TTT_OK;
}
