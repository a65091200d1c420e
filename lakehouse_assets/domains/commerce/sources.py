"""What commerce takes in: five sources of CSV files, two of JSON lines, and documents with their facts beside them.

Belongs here: the sources' columns as they land. Not here: their types and rules (`silver`, `silver_telemetry`,
`silver_documents`).
"""

from __future__ import annotations

from lakehouse_assets.lake.source import Source

CUSTOMERS = Source(
    domain="commerce",
    name="customers",
    kind="entity",
    key=("customer_id",),
    version=None,
    columns={
        "customer_id": "Customer, as the tenant's shop numbers it",
        "source_customer_id": "The same person in the CRM; several customers may share one",
        "name": "Full name",
        "email": "E-mail address",
        "signup_date": "Day of the first registration, YYYY-MM-DD",
        "region": "Region of the customer",
    },
    required=("customer_id", "signup_date"),
    description="people and companies with an account",
)

PRODUCTS = Source(
    domain="commerce",
    name="products",
    kind="entity",
    key=("product_id",),
    version=None,
    columns={
        "product_id": "Product, as the tenant's shop numbers it",
        "product_name": "Name of the product",
        "category": "Category of the product",
    },
    required=("product_id",),
    description="the product catalogue",
)

TRANSACTIONS = Source(
    domain="commerce",
    name="transactions",
    kind="event",
    key=("transaction_id",),
    version="transaction_date",
    columns={
        "transaction_id": "One line of an invoice",
        "customer_id": "Customer that bought; empty for a guest",
        "product_id": "Product that was bought",
        "quantity": "Pieces; negative when they came back",
        "amount": "Value of the line in USD; negative for a refund",
        "transaction_date": "Time of the sale, ISO 8601",
        "payment_method": "How it was paid, such as CreditCard or PayPal",
        "invoice_id": "Invoice that the line stands on",
    },
    required=("transaction_id", "amount", "transaction_date"),
    description="lines of invoices: sales, refunds and cancellations",
)

CUSTOMER_EVENTS = Source(
    domain="commerce",
    name="customer_events",
    kind="event",
    key=("event_id",),
    version="event_time",
    columns={
        "event_id": "Event, as the app numbers it",
        "customer_id": "Customer that did it; empty when nobody was logged in",
        "session_id": "Session of the app",
        "event_type": "What was done, such as page_view",
        "event_time": "When it was done, ISO 8601",
        "properties": "Whatever the app tells beside, a JSON object",
    },
    required=("event_id", "event_type", "event_time"),
    description="what people do in the app",
)

DEVICE_TELEMETRY = Source(
    domain="commerce",
    name="device_telemetry",
    kind="event",
    key=("device_id", "event_time", "metric_type"),
    version="event_time",
    columns={
        "device_id": "Device that measured",
        "event_time": "When it measured, ISO 8601",
        "metric_type": "What it measured, such as temperature",
        "metric_value": "What it read, in the metric's unit",
        "region": "Region that the device stands in",
    },
    required=("device_id", "event_time", "metric_type", "metric_value"),
    description="readings of customers' devices",
)

DEVICE_ASSIGNMENTS = Source(
    domain="commerce",
    name="device_assignments",
    kind="entity",
    key=("device_id", "assigned_from"),
    version=None,
    columns={
        "device_id": "Device",
        "customer_id": "Customer that has it",
        "assigned_from": "Time from which the customer has it, ISO 8601",
        "assigned_to": "Time from which no longer; empty while the customer has it",
    },
    required=("device_id", "customer_id", "assigned_from"),
    description="which customer had which device when",
)

DOCUMENTS = Source(
    domain="commerce",
    name="documents",
    kind="entity",
    key=("document_id",),
    version=None,
    columns={
        "document_id": "Document",
        "customer_id": "Customer that it is about",
        "title": "Title",
        "kind": "What it is, such as contract or note",
        "created_at": "When it was written, ISO 8601",
        "text": "The text of the file",
    },
    required=("document_id",),
    content="text",
    description="texts about customers, each with a JSON file of its facts beside it",
)

SOURCES = (
    CUSTOMERS,
    PRODUCTS,
    TRANSACTIONS,
    CUSTOMER_EVENTS,
    DEVICE_TELEMETRY,
    DEVICE_ASSIGNMENTS,
    DOCUMENTS,
)
