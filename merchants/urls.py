from django.urls import path

from merchants import api_batches, api_categories, api_merchants, api_normalizations, api_usage

urlpatterns = [
    path(
        "normalize_merchant",
        api_normalizations.NormalizeMerchantView.as_view(),
        name="normalize-merchant",
    ),
    path(
        "v1/normalizations", api_normalizations.NormalizationsView.as_view(), name="normalizations"
    ),
    path(
        "v1/normalizations/<uuid:request_id>",
        api_normalizations.NormalizationView.as_view(),
        name="normalization",
    ),
    path(
        "v1/normalizations/<uuid:request_id>/cancel",
        api_normalizations.CancelView.as_view(),
        name="cancel-normalization",
    ),
    path(
        "v1/normalizations/<uuid:request_id>/feedback",
        api_normalizations.FeedbackView.as_view(),
        name="feedback",
    ),
    path("v1/batches", api_batches.BatchesView.as_view(), name="batches"),
    path("v1/batches/<uuid:batch_id>", api_batches.BatchView.as_view(), name="batch"),
    path(
        "v1/batches/<uuid:batch_id>/cancel",
        api_batches.CancelBatchView.as_view(),
        name="cancel-batch",
    ),
    path(
        "v1/batches/<uuid:batch_id>/results",
        api_batches.BatchResultsView.as_view(),
        name="batch-results",
    ),
    path("v1/merchants", api_merchants.MerchantsView.as_view(), name="merchants"),
    path("v1/merchants/<uuid:merchant_id>", api_merchants.MerchantView.as_view(), name="merchant"),
    path("v1/categories", api_categories.CategoriesView.as_view(), name="categories"),
    path("v1/usage", api_usage.UsageView.as_view(), name="usage"),
]
