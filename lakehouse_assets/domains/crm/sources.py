"""What crm takes in: four sources of CSV files, landed by day.

Belongs here: the sources' columns as they land. Not here: their types and rules (`silver`).
"""

from __future__ import annotations

from lakehouse_assets.lake.source import Source

LEADS = Source(
    domain="crm",
    name="leads",
    kind="entity",
    key=("lead_id",),
    version="updated_at",
    columns={
        "lead_id": "Lead, as the tenant's CRM numbers it",
        "customer_id": "Customer that the lead is about",
        "product_id": "Product that is offered",
        "source": "Where the lead came from, such as web or referral",
        "status": "Stage of the lead: new, contacted, qualified, proposal, negotiation, closed_won, closed_lost",
        "deal_value": "Value of the deal, in USD",
        "owner": "Person who works on the lead",
        "created_date": "Day on which the lead was created, YYYY-MM-DD",
        "closed_date": "Day on which the lead was won or lost, YYYY-MM-DD; empty while it is open",
        "updated_at": "Time of this version of the lead, ISO 8601; the newest wins, none is the oldest",
    },
    required=("lead_id", "customer_id", "created_date"),
    description="sales leads and the deals that they become",
)

CUSTOMERS = Source(
    domain="crm",
    name="customers",
    kind="entity",
    key=("customer_id",),
    version=None,
    columns={
        "customer_id": "Customer, as the tenant's CRM numbers it",
        "customer_name": "Name of the company",
        "industry": "Industry of the company",
        "employee_count": "People whom the company employs",
        "annual_revenue": "Revenue of the company in a year, in USD",
        "email": "E-mail address of the contact",
        "phone": "Phone number of the contact, with country code",
        "created_date": "Day on which the customer was created, YYYY-MM-DD",
    },
    required=("customer_id",),
    description="companies that buy or may buy",
)

INTERACTIONS = Source(
    domain="crm",
    name="interactions",
    kind="event",
    key=("interaction_id",),
    version="interaction_at",
    columns={
        "interaction_id": "Interaction, as the tenant's CRM numbers it",
        "customer_id": "Customer that took part",
        "lead_id": "Lead that it was about; empty where there was none",
        "channel": "Channel: call, email, whatsapp, meeting",
        "outcome": "How it ended: positive, neutral, negative",
        "interaction_at": "Time at which it began, ISO 8601",
        "duration_minutes": "How long it took, in minutes",
        "response_minutes": "How long the answer took, in minutes",
    },
    required=("interaction_id", "customer_id", "interaction_at"),
    description="calls, messages and meetings with customers",
)

PRODUCTS = Source(
    domain="crm",
    name="products",
    kind="entity",
    key=("product_id",),
    version=None,
    columns={
        "product_id": "Product, as the tenant's CRM numbers it",
        "product_name": "Name of the product",
        "category": "Category of the product",
        "list_price": "Price before discounts, in USD",
    },
    required=("product_id",),
    description="products on offer",
)

SOURCES = (LEADS, CUSTOMERS, INTERACTIONS, PRODUCTS)
