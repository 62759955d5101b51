from django.urls import path

from merchants.api.views import batches, categories, merchants, normalizations, usage

urlpatterns = [
    path(
        "normalize_merchant",
        normalizations.NormalizeMerchantView.as_view(),
        name="normalize-merchant",
    ),
    path("v1/normalizations", normalizations.NormalizationsView.as_view(), name="normalizations"),
    path(
        "v1/normalizations/<uuid:request_id>",
        normalizations.NormalizationView.as_view(),
        name="normalization",
    ),
    path(
        "v1/normalizations/<uuid:request_id>/cancel",
        normalizations.CancelView.as_view(),
        name="cancel-normalization",
    ),
    path(
        "v1/normalizations/<uuid:request_id>/feedback",
        normalizations.FeedbackView.as_view(),
        name="feedback",
    ),
    path("v1/batches", batches.BatchesView.as_view(), name="batches"),
    path("v1/batches/<uuid:batch_id>", batches.BatchView.as_view(), name="batch"),
    path(
        "v1/batches/<uuid:batch_id>/cancel",
        batches.CancelBatchView.as_view(),
        name="cancel-batch",
    ),
    path(
        "v1/batches/<uuid:batch_id>/results",
        batches.BatchResultsView.as_view(),
        name="batch-results",
    ),
    path("v1/merchants", merchants.MerchantsView.as_view(), name="merchants"),
    path("v1/merchants/<uuid:merchant_id>", merchants.MerchantView.as_view(), name="merchant"),
    path("v1/categories", categories.CategoriesView.as_view(), name="categories"),
    path("v1/usage", usage.UsageView.as_view(), name="usage"),
]
